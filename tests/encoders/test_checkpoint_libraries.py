"""Libraries of real encoders, from index to search: frames, clips, and one vector per video.

The networks are random, so a video's own frame is the question: it has to find that video.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colour_films import write_colours
from PIL import Image

from scenewise.config import Settings
from scenewise.encoders import clip, concept
from scenewise.encoders.runtimes import Session, open_session
from scenewise.errors import EncoderMismatchError, UsageError
from scenewise.index.catalog import Catalog
from scenewise.library import Library
from scenewise.tasks.caption import NOTHING_NAMED
from scenewise.tasks.wording import POSSIBLE, Wording, told

LENGTHS = {"red.mp4": 2.0, "green.mp4": 9.0}  # seconds; an X-CLIP window is 8


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, seconds in LENGTHS.items():
        write_colours(folder / name, [(Path(name).stem, seconds)])
    return folder


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What green.mp4 shows all along."""
    path = tmp_path_factory.mktemp("picture") / "green.png"
    Image.fromarray(np.full((48, 64, 3), (0, 255, 0), np.uint8)).save(path)
    return path


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, prepared_cache: Path) -> Settings:
    """Of a library of the encoder that the test names."""
    name = request.param
    if name != "concept":
        name = str(request.getfixturevalue("checkpoints")[name])
        prepared_cache = request.getfixturevalue("encoder_cache")
    return Settings(
        library=tmp_path / "library", cache=prepared_cache, encoder=name, device="cpu", workers=1
    )


def windows_of(directory: Path) -> dict[str, tuple[Sequence[float], Sequence[float], int]]:
    """By file name: starts, ends, number of shots."""
    with Catalog.open(directory) as catalog:
        generation = catalog.active()
        assert generation is not None
        chunks = catalog.chunks(catalog.chunk_ids(generation.id).tolist())
    return {
        Path(chunk.path).name: (chunk.starts.tolist(), chunk.ends.tolist(), len(chunk.shots))
        for chunk in chunks.values()
    }


@pytest.mark.parametrize(
    ("settings", "frames"),
    [("concept", 8), ("concept", 16), ("clip", 8), ("siglip", 16), ("xclip", 4)],
    indirect=["settings"],
)
def test_one_vector_per_video_answers_after_it_was_opened_again(
    settings: Settings, frames: int, films: Path, picture: Path
) -> None:
    with Library.open(settings=settings) as library:
        assert library.index(films, frames=frames).indexed == len(LENGTHS)
    with Library.open(settings=settings, encoder=settings.encoder, create=False) as library:
        stats = library.stats()
        assert (stats.windows, stats.sampling) == (len(LENGTHS), f"frames={frames}")
        best = library.search(image=picture).hits[0]
        assert Path(best.path).name == "green.mp4"
        assert [best.start, best.end] == pytest.approx([0.0, LENGTHS["green.mp4"]])
        assert library.search("a red ball").hits
        (note, *_) = library.search("a red ball " * 100).to_dict()["notes"]
        assert "was not read" in note
        other = library.similar(films / "red.mp4").hits
        assert [Path(hit.path).name for hit in other] == ["green.mp4"]
        again = library.index(films, frames=frames)
        assert (again.indexed, again.unchanged) == (0, len(LENGTHS))
    assert {shots for _, _, shots in windows_of(settings.library).values()} == {0}


@pytest.mark.parametrize("settings", ["xclip"], indirect=True)
def test_clips_are_windows_of_their_own_length(
    settings: Settings, films: Path, picture: Path
) -> None:
    with Library.open(settings=settings) as library:
        library.index(films)
        assert library.stats().sampling == "clips"
        assert Path(library.search(image=picture).hits[0].path).name == "green.mp4"
        assert "X-CLIP" in " ".join(library.search("a red ball").notes)
    windows = windows_of(settings.library)
    assert windows["red.mp4"][0] == [0.0]
    assert windows["red.mp4"][1] == pytest.approx([2.0])
    assert windows["green.mp4"][0] == [0.0, 4.0]
    assert windows["green.mp4"][1] == pytest.approx([8.0, 9.0])


@pytest.mark.parametrize("settings", ["xclip"], indirect=True)
def test_another_number_of_frames_than_the_networks_is_refused(
    settings: Settings, films: Path
) -> None:
    with (
        Library.open(settings=settings) as library,
        pytest.raises(UsageError, match=r"clips of 4 frames; use --frames 4"),
    ):
        library.index(films, frames=8)
    assert not settings.library.exists()


@pytest.mark.parametrize("settings", ["clip"], indirect=True)
def test_a_library_of_one_checkpoint_is_not_opened_with_another(
    settings: Settings,
    films: Path,
    checkpoints: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Library.open(settings=settings) as library:
        library.index(films / "red.mp4", fps=1)
    folder = checkpoints["clip"]
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.chdir(folder.parent)
    for same in (f"~/{folder.name}", f"./{folder.name}", str(folder)):
        Library.open(settings=settings, encoder=same).close()
    with pytest.raises(EncoderMismatchError) as caught:
        Library.open(settings=settings, encoder="concept")
    for words in (settings.encoder, "concept", "scenewise reindex --encoder concept"):
        assert words in str(caught.value)
    with Library.open(settings=settings) as library:
        report = library.reindex(encoder=str(checkpoints["siglip"]))
        assert report.indexed == 1
        assert library.stats().encoder == str(checkpoints["siglip"])
        assert library.search("a cat").hits


@pytest.mark.parametrize("settings", ["concept", "clip", "xclip"], indirect=True)
def test_device_and_threads_reach_the_network(
    settings: Settings, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []

    def noted(path: Path, *, device: str, threads: int, **options: Any) -> Session:
        seen.append((device, threads))
        return open_session(path, device=device, threads=threads, **options)

    for module in (clip, concept):
        monkeypatch.setattr(module, "open_session", noted)
    with Library.open(settings=settings.model_copy(update={"threads": 2})) as library:
        library.index(films / "red.mp4", frames=4)
        library.search("a red ball")
    assert set(seen) == {("cpu", 2)}


@pytest.mark.parametrize("settings", ["clip"], indirect=True)
def test_a_random_network_has_captions_that_claim_what_its_probabilities_say(
    settings: Settings, films: Path
) -> None:
    """A network that knows nothing may name anything, but in the form and with the doubt of all."""
    with Library.open(settings=settings) as library:
        (caption,) = library.caption(films / "green.mp4", motion=False).captions
        seen = library._footage(films / "green.mp4")
        wording = Wording(seen.encoder, cache=settings.cache)
        shares = wording.probabilities(seen.footage.features)
        things, where = wording.choose(shares), wording.circumstances(shares)
    assert shares.sum() == pytest.approx(1)
    assert all(POSSIBLE <= label.probability <= 1 for label in [*things, *where])
    said = told(things, where) or NOTHING_NAMED
    assert caption.text.casefold().startswith(said.casefold())
