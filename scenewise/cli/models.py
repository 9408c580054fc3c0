"""``scenewise models``: which encoders and networks there are, what one is, and preparing it.

It reads options and prints; what an encoder is, its card and the encoder itself say. The commands
for the toolkit's networks are ``networks``'.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scenewise.cli import network_costs, networks
from scenewise.cli.options import (
    DeviceOption,
    DryRunOption,
    JsonOption,
    QuietOption,
    VerboseOption,
    settings_of,
)
from scenewise.cli.output import Output, byte_size, printable
from scenewise.config import expand_user
from scenewise.errors import EncoderError, UnknownEncoderError

if TYPE_CHECKING:
    from scenewise.config import Settings
    from scenewise.encoders.audio import AudioSpec
    from scenewise.encoders.cards import Card
    from scenewise.encoders.spec import EncoderSpec

app = typer.Typer(
    help="List, show, prepare and convert networks.", no_args_is_help=True, rich_markup_mode=None
)
network_costs.register(app)
BYTES_PER_PARAMETER = 4  # weights are published as float32

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="concept, a folder, or a Hugging Face name.")
]
ShownArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="concept, a folder, a Hugging Face name, or a network's name."
    ),
]
RuntimeOption = Annotated[
    Literal["onnxruntime", "openvino", "torch"] | None,
    typer.Option("--runtime", help="What runs it. Default: onnxruntime.", show_default=False),
]


@app.command("list")
def list_models(
    pattern: Annotated[
        str, typer.Argument(metavar="[PATTERN]", help="Names to list, such as 'timesformer*'.")
    ] = "*",
    kind: Annotated[
        Literal["encoder", "backbone", "video-text", "audio"] | None,
        typer.Option("--kind", help="Only those of one kind.", show_default=False),
    ] = None,
    runtime: RuntimeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """List encoders, and the networks of the toolkit.

    Other checkpoints of the encoders' families work as well, by their folder or Hugging Face name.
    A network becomes an encoder with weights: see models convert.
    """
    from scenewise.encoders.cards import list_cards

    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    settings = settings_of(runtime=runtime)
    cards = [card for card in list_cards() if kind in (None, "encoder")]
    entries = [
        (card, prepared(card.name, settings)) for card in cards if fnmatchcase(card.name, pattern)
    ]
    found = networks.find_networks(pattern, kind)
    if out.json:
        shapes = [{**card.to_dict(), "prepared": ready} for card, ready in entries]
        out.document({"encoders": shapes, "networks": [card.to_dict() for card in found]})
        return
    if not entries and not found:
        out.note("no encoder and no network is called so")
    if entries:
        out.table(
            ("name", "prepared", "weights", "licence", "languages", "what it is"),
            [_row_of(card, ready) for card, ready in entries],
        )
    if found:
        out.table(networks.HEADINGS, [networks.row_of(card) for card in found])


def _row_of(card: Card, ready: bool) -> tuple[str, ...]:
    return (
        card.name,
        "yes" if ready else "no",
        f"{byte_size(weights_size(card))}{', installed' if card.embedded else ''}",
        ", ".join(card.licences),
        ", ".join(card.languages),
        card.summary,
    )


@app.command("show")
def show_model(
    name: ShownArgument,
    runtime: RuntimeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show what an encoder or network is, and whether it is prepared.

    Downloads nothing: of a Hugging Face name that is not on this machine, only the card is known.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    settings = settings_of(runtime=runtime)
    network = None if expand_user(name).is_dir() else networks.find_network(name)
    if network is not None:
        networks.show_network(network, out)
        return
    if is_audio(name, settings):
        _show_audio(name, settings, out)
        return
    card = find_card(name)
    spec = find_spec(name, settings, card)
    ready = prepared(name, settings)
    if out.json:
        out.document(
            {
                "name": name,
                "prepared": ready,
                "card": card.to_dict() if card else None,
                "spec": spec.to_dict() if spec else None,
            }
        )
        return
    for key, value in description(name, card, spec):
        out.result(f"{key}: {printable(value)}")
    out.result(f"prepared: {'yes' if ready else 'no'}")


@app.command("prepare")
def prepare_model(
    name: NameArgument,
    runtime: RuntimeOption = None,
    device: DeviceOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Prepare an encoder of pictures or (CLAP) of sound, so that indexing starts at once.

    A Hugging Face name is downloaded, because you named it. Networks are exported once, checked,
    and kept in the cache folder; what is there already is checked again.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    settings = settings_of(runtime=runtime, device=device)
    audio = is_audio(name, settings, fetch=not dry_run)
    # also finds out whether there can be such an encoder
    ready = _audio_prepared(name, settings) if audio else prepared(name, settings)
    if dry_run:
        if out.json:
            out.document({"name": name, "prepared": ready, "dry_run": True})
        else:
            out.result(f"{printable(name)}: {'would be checked' if ready else 'would be prepared'}")
        return
    make = _prepare_audio if audio else _prepare_pictures
    spec = make(name, settings, out)
    if out.json:
        out.document({"name": name, "prepared": True, "spec": spec.to_dict()})
    else:
        out.result(f"{printable(name)}: prepared")


app.command("export")(networks.export)
app.command("convert")(networks.convert)


def _prepare_pictures(name: str, settings: Settings, out: Output) -> EncoderSpec:
    from scenewise.encoders.load import prepare

    return prepare(
        name,
        runtime=settings.runtime,
        device=settings.device,
        cache_dir=settings.cache,
        progress=out.note,
    )


def _prepare_audio(name: str, settings: Settings, out: Output) -> AudioSpec:
    from scenewise.encoders.load_audio import load_audio_encoder

    encoder = load_audio_encoder(
        name,
        runtime=settings.runtime,
        device=settings.device,
        cache_dir=settings.cache,
        progress=out.note,
    )
    encoder.close()
    return encoder.spec


def _show_audio(name: str, settings: Settings, out: Output) -> None:
    from scenewise.encoders.load_audio import describe_audio_encoder

    spec = describe_audio_encoder(name, cache_dir=settings.cache)
    ready = _audio_prepared(name, settings)
    if out.json:
        out.document({"name": name, "prepared": ready, "card": None, "spec": spec.to_dict()})
        return
    window = f"{spec.window_seconds:g} s of sound, each {spec.hop_seconds:g} s"
    for key, value in (
        ("name", name),
        ("what it is", "a CLAP checkpoint: an encoder of sound, for --audio-encoder"),
        ("licence", spec.licence),
        ("vector", f"{spec.dimension} numbers for {window}"),
        ("sound", f"{spec.sample_rate} samples per second"),
        ("revision", spec.revision),
        ("prepared", "yes" if ready else "no"),
    ):
        out.result(f"{key}: {printable(str(value))}")


def is_audio(name: str, settings: Settings, *, fetch: bool = False) -> bool:
    """Whether it is an encoder of sound, as far as this machine or (``fetch``) the hub knows."""
    from scenewise.encoders.load_audio import is_audio_encoder

    return is_audio_encoder(name, cache_dir=settings.cache, fetch=fetch)


def _audio_prepared(name: str, settings: Settings) -> bool:
    from scenewise.encoders.load_audio import is_audio_prepared

    return is_audio_prepared(name, cache_dir=settings.cache)


def prepared(name: str, settings: Settings) -> bool:
    """Whether it can run at once. Raises UnknownEncoderError."""
    from scenewise.encoders.load import is_prepared

    return is_prepared(name, runtime=settings.runtime, cache_dir=settings.cache)


def find_card(name: str) -> Card | None:
    """The card of this name; None for a checkpoint that has none."""
    from scenewise.encoders.cards import card

    try:
        return card(name)
    except UnknownEncoderError:
        return None


def find_spec(name: str, settings: Settings, card: Card | None) -> EncoderSpec | None:
    """What vectors of this encoder are; None where only the card is on this machine."""
    from scenewise.encoders.load import describe

    try:
        return describe(name, runtime=settings.runtime, cache_dir=settings.cache)
    except UnknownEncoderError as error:
        raise UnknownEncoderError(f"{error} {networks.nearest_network(name)}") from None
    except EncoderError:
        if card is None:
            raise
        return None


def weights_size(card: Card) -> int:
    """About how many bytes the published weights take."""
    return sum(network.parameters for network in card.networks) * BYTES_PER_PARAMETER


def description(name: str, card: Card | None, spec: EncoderSpec | None) -> list[tuple[str, str]]:
    """Lines for a person: the card first, then what a stored vector is."""
    lines: list[tuple[str, Any]] = [("name", name)]
    if card is not None:
        lines += [("what it is", card.summary), ("languages", ", ".join(card.languages))]
        for network in card.networks:
            lines += [
                ("network", f"{network.name}: {network.role}"),
                ("  paper", f"{network.paper}, {network.year}, {network.url}"),
                ("  input", network.input),
                ("  weights", f"{network.parameters:,} parameters, {network.source}"),
                ("  licence", f"{network.licence}, {network.licence_note}"),
            ]
    if spec is not None:
        if card is None:
            lines += [("languages", ", ".join(spec.languages)), ("licence", spec.licence)]
        frames = spec.frames_per_window
        window = "one frame" if frames == 1 else f"{frames} frames of {spec.window_seconds:g} s"
        lines += [
            ("vector", f"{spec.dimension} numbers for {window}"),
            ("pictures", f"{spec.target.width} x {spec.target.height} pixels"),
            ("runs on", f"{spec.runtime}, {spec.precision}"),
            ("revision", spec.revision),
        ]
    return lines
