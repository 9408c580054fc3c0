"""``scenewise doctor``: what is installed, what is missing, what is broken, and what to do.

It looks and reports; it downloads nothing, changes nothing, and never imports torch.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

import scenewise
from scenewise.cli.options import (
    JsonOption,
    LibraryOption,
    QuietOption,
    VerboseOption,
    open_library,
    settings_of,
)
from scenewise.cli.output import Output, byte_size, plural, printable
from scenewise.errors import LibraryNotFoundError, ScenewiseError

if TYPE_CHECKING:
    from scenewise.config import Settings

LITTLE_SPACE = 1_000_000_000  # bytes; preparing an encoder and indexing a folder want more
PLAYERS = ("mpv", "ffplay")
# extra: a module that only it brings
EXTRAS = {
    "ocr": "rapidocr",
    "asr": "faster_whisper",
    "mqtt": "paho",
    "openvino": "openvino",
    "demo": "skimage",
}

Status = Literal["ok", "note", "broken"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    status: Status
    value: str
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def doctor(
    library: LibraryOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Check the installation and the library; download nothing.

    Exit code 1 if something that is needed is broken.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    checks = list(run_checks(settings_of(library=library)))
    broken = [check for check in checks if check.status == "broken"]
    if out.json:
        out.document({"ok": not broken, "checks": [check.to_dict() for check in checks]})
    else:
        for check in checks:
            out.result(f"{check.status:<6} {check.name}: {printable(check.value)}")
            if check.advice:
                out.result(f"       {check.advice}")
    raise typer.Exit(1 if broken else 0)


def run_checks(settings: Settings) -> Iterator[Check]:
    """All checks, in the order in which a person wants to read them."""
    yield Check("scenewise", "ok", scenewise.__version__)
    yield Check("python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield Check("system", "ok", f"{platform.system()} {platform.machine()}")
    yield _av()
    yield _package("faiss", "faiss-cpu")
    yield _package("onnxruntime", "onnxruntime")
    yield _package("tokenizers", "tokenizers")
    yield torch_build()
    yield _processor()
    yield _memory()
    yield _space("library", settings.library)
    yield _space("cache", settings.cache)
    yield from _library(settings)
    yield _encoders(settings)
    for extra, module in EXTRAS.items():
        yield _extra(extra, module)
    yield _player()


def _av() -> Check:
    found = _package("av", "av")
    if found.status == "broken":
        return found
    import av

    codec = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return Check("av", "ok", f"{found.value}, FFmpeg {av.ffmpeg_version_info}, libavcodec {codec}")


def _package(module: str, distribution: str) -> Check:
    """Installed, and really importable: a wheel for another processor is found out here."""
    try:
        importlib.import_module(module)
        return Check(module, "ok", importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return Check(module, "ok", "installed, version unknown")
    except (ImportError, OSError) as error:
        return Check(
            module,
            "broken",
            f"cannot be imported: {error}",
            f"pip install --force-reinstall {distribution}",
        )


def torch_build() -> Check:
    """Which torch is there, told from its files alone."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return Check(
            "torch",
            "broken",
            "not installed",
            "preparing an encoder needs it: pip install torch",
        )
    build = _torch_kind(version)
    nvidia = sorted(
        distribution.name
        for distribution in importlib.metadata.distributions()
        if (distribution.name or "").lower().startswith("nvidia-")
    )
    extra = f", with {len(nvidia)} nvidia packages" if nvidia else ""
    advice = ""
    if build == "CUDA" and not Path("/proc/driver/nvidia").exists():
        advice = "no NVIDIA driver is here: the CPU build of torch does the same in less space"
    return Check("torch", "ok", f"{version}, {build} build{extra}", advice)


def _torch_kind(version: str) -> str:
    _, _, tag = version.partition("+")
    for beginning, kind in (("cpu", "CPU"), ("cu", "CUDA"), ("rocm", "ROCm"), ("xpu", "XPU")):
        if tag.startswith(beginning):
            return kind
    spec = importlib.util.find_spec("torch")  # finds the folder and imports nothing
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    cuda = any(list(Path(folder, "lib").glob("*torch_cuda*")) for folder in folders)
    return "CUDA" if cuda else "CPU"


def _processor() -> Check:
    from scenewise.device import processor_count

    usable, there = processor_count(), os.cpu_count() or 1
    return Check("cores", "ok", f"{usable}" if usable == there else f"{usable} of {there}")


def _memory() -> Check:
    names = os.sysconf_names if hasattr(os, "sysconf_names") else {}
    if "SC_PHYS_PAGES" not in names:
        return Check("memory", "note", "unknown on this system")
    page = os.sysconf("SC_PAGE_SIZE")
    text = byte_size(page * os.sysconf("SC_PHYS_PAGES"))
    if "SC_AVPHYS_PAGES" in names:
        text += f", {byte_size(page * os.sysconf('SC_AVPHYS_PAGES'))} of it free"
    return Check("memory", "ok", text)


def _space(name: str, folder: Path) -> Check:
    there = next((place for place in (folder, *folder.absolute().parents) if place.exists()), None)
    if there is None:
        return Check(f"disk of the {name}", "broken", f"{folder} has no place", "name another one")
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check(f"disk of the {name}", "broken", f"{folder}: {error.strerror}")
    text = f"{byte_size(free)} free at {folder}"
    if not os.access(there, os.W_OK):
        return Check(
            f"disk of the {name}", "note", f"{text}, read-only", f"{there} cannot be written"
        )
    if free < LITTLE_SPACE:
        return Check(f"disk of the {name}", "note", text, "that is little; make room")
    return Check(f"disk of the {name}", "ok", text)


def _library(settings: Settings) -> Iterator[Check]:
    """What the library holds, and whether its derived files are used."""
    try:
        with open_library(settings) as opened:
            stats = opened.stats()
        yield Check(
            "library",
            "ok",
            f"{stats.library}: {plural(stats.videos, 'video')}, "
            f"{plural(stats.windows, 'stored vector')} of {stats.encoder or 'no encoder yet'}, "
            f"{stats.missing} missing, {stats.failed} failed, {byte_size(stats.size_bytes)}",
        )
        yield _search_index(settings)
    except LibraryNotFoundError:
        yield Check(
            "library", "note", f"none at {settings.library} yet", "scenewise index PATH makes it"
        )
    except ScenewiseError as error:
        yield Check("library", "broken", f"{settings.library}: {error}")


def _search_index(settings: Settings) -> Check:
    """The vector files: where they cannot be used, searches scan the database instead."""
    from scenewise.index.catalog import Catalog
    from scenewise.index.vectors import VectorIndex

    with Catalog.open(settings.library) as catalog:
        generation = catalog.active()
        if generation is None:
            return Check("search index", "ok", "nothing to search yet")
        status = VectorIndex.open(settings.library, catalog, generation.id).status()
    text = f"{status.kind or 'no files'}, {status.rows} rows, {status.tail} newer ones beside it"
    if status.problem is None:
        return Check("search index", "ok", text)
    return Check(
        "search index",
        "note",
        f"{text}; {status.problem}",
        "answers are complete all the same; the next scenewise index makes the files anew",
    )


def _encoders(settings: Settings) -> Check:
    """The encoders that run at once; one that is not prepared yet is no fault."""
    from scenewise.cli.models import prepared
    from scenewise.encoders.cards import list_cards

    ready = [card.name for card in list_cards() if prepared(card.name, settings)]
    if ready:
        return Check("encoders prepared", "ok", ", ".join(ready))
    return Check(
        "encoders prepared",
        "note",
        "none yet",
        "the first index does it, or scenewise models prepare concept",
    )


def _extra(extra: str, module: str) -> Check:
    if importlib.util.find_spec(module) is not None:
        return Check(f"extra {extra}", "ok", "installed")
    return Check(
        f"extra {extra}", "note", "not installed", f"if wanted: pip install 'scenewise[{extra}]'"
    )


def _player() -> Check:
    found = [name for name in PLAYERS if shutil.which(name)]
    if found:
        return Check("player", "ok", ", ".join(found))
    return Check(
        "player", "note", "neither mpv nor ffplay is on the PATH", "search -v prints mpv lines"
    )
