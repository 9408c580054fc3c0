"""From a film's sound to a hit: indexed, searched in words, by kinds and by an audio encoder."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import generated_sound as generated
import numpy as np
import pytest
import torch
from colour_encoder import load_colours
from tiny_clap import write_clap

from scenewise.config import Settings
from scenewise.encoders.audio import encode_sound
from scenewise.encoders.load_audio import load_audio_encoder
from scenewise.errors import ScenewiseError
from scenewise.index.catalog import Catalog
from scenewise.library import Library
from scenewise.media.film import FilmSettings, Sound, write_film

RATE = generated.RATE


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def film(path: Path, samples: generated.Samples | None) -> Path:
    path.parent.mkdir(exist_ok=True)
    seconds = 4.0 if samples is None else len(samples) / RATE
    sound = None if samples is None else Sound(samples[None], RATE, "pcm_s16le")
    # bars whose place tells the file: equal content would be one video
    rng = np.random.default_rng(len(path.name))
    picture = np.repeat(rng.integers(0, 2, (1, 8, 3), np.uint8) * np.uint8(255), 48, axis=0)
    picture = picture.repeat(8, axis=1)
    settings = FilmSettings(frame_rate=Fraction(4), gop=4, b_frames=0)
    write_film(path, [picture] * round(4 * seconds), settings, sound=sound)
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heard")
    still = generated.quiet(4.0)
    film(folder / "concert.mkv", np.concatenate([still, generated.music(8.0)]))
    loud = generated.noise(6.0, -40)
    loud[3 * RATE : 3 * RATE + len(generated.bang())] += generated.bang()
    film(folder / "door.mkv", loud)
    film(folder / "mute.mkv", None)
    return folder


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clap(tmp_path_factory.mktemp("clap"))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def library(tmp_path: Path, settings: Settings) -> Iterator[Library]:
    place = tmp_path / "library"
    with Library.open(place, encoder="colours", settings=settings, load=load_colours) as opened:
        yield opened


def audio_tracks(library: Library) -> dict[str, int]:
    """Files with vectors of sound, and how many."""
    with Catalog.open(library.directory) as catalog:
        generation = catalog.active()
        assert generation is not None
        chunks = catalog.chunks([one for one, _ in catalog.audio_tracks(generation.id, None)])
        found = {}
        for chunk in chunks.values():
            windows = catalog.audio_windows(chunk.id)
            assert windows is not None
            found[Path(chunk.path).name] = len(windows.starts)
        return found


def test_sounds_are_heard_while_indexing_and_found_by_their_names(
    library: Library, films: Path
) -> None:
    report = library.index(films, workers=1)
    assert report.tracks["sound"] == 3
    assert report.damaged == ()
    for words, name, start, end in (
        ("music", "concert.mkv", 4.0, 12.0),
        ("a loud bang", "door.mkv", 3.0, 3.5),
        ("silence", "concert.mkv", 0.0, 4.0),
    ):
        result = library.search(words, modalities=["audio"])
        assert result.found
        best = result.hits[0]
        assert Path(best.path).name == name
        assert (best.start, best.end) == pytest.approx((start, end), abs=1.0)
        assert best.why[0].kind == "sound"
        assert best.why[0].modality == "audio"
    assert not library.search("a red car", modalities=["audio"]).hits


def test_an_audio_encoder_belongs_to_the_library_from_then_on(
    library: Library, films: Path, clap: Path, settings: Settings
) -> None:
    library.index(films / "concert.mkv", workers=1)
    assert audio_tracks(library) == {}
    # known videos get their vectors without being decoded for the pictures again
    report = library.index(films, workers=1, audio_encoder=clap)
    assert (report.indexed, report.tracked) == (2, 1)
    assert audio_tracks(library) == {"concert.mkv": 11, "door.mkv": 5}
    again = library.index(films, workers=1)
    assert (again.indexed, again.tracked) == (0, 0)
    # words that are no kind of sound are answered by the network: the nearest windows lead
    words = "rain dog"
    encoder = load_audio_encoder(str(clap), cache_dir=settings.cache)
    query = encoder.encode_text(words).vector
    nearest = {}
    for name in ("concert.mkv", "door.mkv"):
        starts, ends, vectors = encode_sound(films / name, encoder)
        best = int((vectors @ query).argmax())
        nearest[name] = (float((vectors @ query).max()), float(starts[best]), float(ends[best]))
    encoder.close()
    hits = library.search(words, modalities=["audio"]).hits
    kinds = {why.kind for hit in hits for why in hit.why}
    assert kinds == {"audio"}
    top = {Path(hit.path).name: hit for hit in reversed(hits)}
    for name, hit in top.items():
        _, start, end = nearest[name]
        assert hit.start < end
        assert start < hit.end


def test_it_can_be_turned_off(library: Library, films: Path, clap: Path) -> None:
    library.index(films / "door.mkv", workers=1, audio_encoder=str(clap))
    library.index(films, workers=1, audio_encoder="none")
    assert set(audio_tracks(library)) == {"door.mkv"}
    hits = library.search("rain dog", modalities=["audio"]).hits
    assert not hits  # nothing asks the vectors that are left


@pytest.mark.parametrize("name", ["no such thing", "FILMS"])
def test_what_is_no_audio_encoder_is_refused_before_anything_is_decoded(
    library: Library, films: Path, name: str
) -> None:
    with pytest.raises(ScenewiseError, match=r"neither a folder|config\.json"):
        library.index(films, workers=1, audio_encoder=str(films) if name == "FILMS" else name)
    assert not (library.directory / "library.sqlite").exists()
