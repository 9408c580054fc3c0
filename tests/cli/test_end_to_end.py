"""The commands as a user runs them: real processes, real encoder, films made from photographs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scenewise.cli.main import main
from scenewise.media.film import FilmSettings, pan, write_film
from scenewise.media.probe import probe

ROOT = Path(__file__).resolve().parents[2]
PHOTOGRAPHS = ("chelsea.png", "coffee.png")  # a cat, a cup of coffee
SECONDS = 3.0
RATE = Fraction(12)

Command = Callable[..., subprocess.CompletedProcess[bytes]]


def command(
    *arguments: str | Path, library: Path | None = None, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "40"}
    if library is not None:
        environment["SCENEWISE_LIBRARY"] = str(library)
    return subprocess.run(
        [sys.executable, "-m", "scenewise", *map(str, arguments)],
        capture_output=True,
        env=environment,
        check=False,
        timeout=300,
        **options,
    )


def photograph(name: str) -> Any:
    data = Path(pytest.importorskip("skimage").__file__).parent / "data"
    with Image.open(data / name) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cat.mp4, and both.mp4 with the cat before the coffee; a text that calls itself a film."""
    folder = tmp_path_factory.mktemp("films")
    cat, coffee = (photograph(name) for name in PHOTOGRAPHS)
    settings = FilmSettings(frame_rate=RATE, gop=24)

    def scene(picture: Any) -> Any:
        return pan(picture, SECONDS, frame_rate=RATE, width=320, height=240)

    write_film(folder / "cat.mp4", scene(cat), settings)
    write_film(folder / "both.mp4", chain(scene(cat), scene(coffee)), settings)
    (folder / "broken.mp4").write_text("not a film")
    return folder


@pytest.fixture(scope="module")
def library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the films, made by the command."""
    folder = tmp_path_factory.mktemp("data") / "library"
    done = command("index", films, "--json", "--workers", "1", library=folder)
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert report["indexed"] == 2
    assert [Path(failure["path"]).name for failure in report["failed"]] == ["broken.mp4"]
    assert b"Traceback" not in done.stderr
    return folder


def test_a_second_run_has_nothing_to_do(library: Path, films: Path) -> None:
    done = command("index", films, library=library)
    assert done.returncode == 0
    assert done.stdout.startswith(b"indexed 0 videos, 2 unchanged")
    assert b"--retry-failed" in done.stderr
    assert command("index", films, "--retry-failed", library=library).returncode == 3


def test_the_moment_is_found(library: Path, films: Path) -> None:
    done = command("search", "a cup of coffee", "--json", library=library)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    best = result["hits"][0]
    assert (result["query"], result["encoder"]) == ("a cup of coffee", "concept")
    assert best["path"] == str(films / "both.mp4")
    middle = (best["start"] + best["end"]) / 2
    assert SECONDS <= middle <= 2 * SECONDS
    assert best["end"] <= 2 * SECONDS + 1 / 12


def test_lines_in_a_pipe_are_whole_and_plain(library: Path, films: Path) -> None:
    done = command("search", "a cat", "-v", library=library)
    first = done.stdout.decode().splitlines()[0]
    text = done.stdout.decode()
    assert "\x1b" not in text
    assert f" {films}/" in text  # longer than the 40 columns of this terminal
    assert first.startswith(("#1 [0.", "#1 [1.", "nothing found"))
    (hit, *_) = json.loads(command("search", "a cat", "--json", library=library).stdout)["hits"]
    line = f"    mpv --start={hit['start']:.1f} --end={hit['end']:.1f} {hit['path']}"
    assert line in text.splitlines()


def test_searching_in_words_loads_nothing_that_other_verbs_need(library: Path) -> None:
    code = (
        "import sys; from scenewise.cli.main import main\n"
        "code = main(['search', 'a cat', '--json'])\n"
        "print(code, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCENEWISE_LIBRARY": str(library)},
        check=True,
        timeout=60,
    )
    code_of_main, *loaded = done.stderr.splitlines()[-1].split()
    assert code_of_main == "0"
    verbs = ("annotate", "caption", "detect", "people", "recommend", "train_classifier")
    others = {"scenewise.index.indexer", *(f"scenewise.tasks.{verb}" for verb in verbs)}
    assert others.isdisjoint(loaded)
    heavy = {"torch", "transformers", "onnxscript", "watchfiles", "av", "cv2", "sklearn", "scipy"}
    assert (heavy | {"httpx2", "rapidocr", "faster_whisper", "paho"}).isdisjoint(
        name.partition(".")[0] for name in loaded
    )


def test_a_hit_becomes_a_clip_and_a_contact_sheet(library: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "hits.png"
    search = command("search", "a cat", "--contact-sheet", sheet, library=library)
    assert search.returncode == 0, search.stderr
    with Image.open(sheet) as image:
        assert min(image.size) > 100
    (hit, *_) = json.loads(command("search", "a cat", "--json", library=library).stdout)["hits"]
    reel = tmp_path / "reel.mp4"
    done = command(
        *("cut", "--last", "1", "-o", tmp_path, "--reel", reel, "--json"), library=library
    )
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)["files"]
    assert files[-1] == str(reel)
    for file in files:
        assert abs(probe(file).duration - (hit["end"] - hit["start"])) <= 1 / RATE


def test_similar_list_stats_backup_and_doctor_answer(
    library: Path, films: Path, tmp_path: Path
) -> None:
    similar = command("similar", f"{films}/cat.mp4@1.0", "--json", library=library)
    assert json.loads(similar.stdout)["hits"][0]["path"] == str(films / "both.mp4")
    listed = command("list", library=library).stdout.decode().splitlines()
    assert [line.split("\t")[0] for line in listed] == ["ready", "failed", "ready"]
    stats = json.loads(command("stats", "--json", library=library).stdout)
    assert (stats["videos"], stats["failed"]) == (2, 1)
    assert command("backup", tmp_path / "copy", library=library).returncode == 0
    copy = command("search", "a cat", "--json", library=tmp_path / "copy")
    assert json.loads(copy.stdout)["hits"]
    doctor = command("doctor", "--json", library=library)
    assert doctor.returncode == 0, doctor.stdout
    found = {check["name"]: check for check in json.loads(doctor.stdout)["checks"]}
    assert found["search index"]["status"] == "ok"
    assert "2 videos" in found["library"]["value"]


def test_the_doctor_notices_damaged_search_files(
    library: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "library"
    shutil.copytree(library, copy)
    derived = [path for path in copy.rglob("*") if path.is_file() and path.parent != copy]
    for path in derived:
        path.write_bytes(b"damaged")
    assert derived
    assert main(["doctor", "--json", "--library", str(copy)]) == 0
    checks = json.loads(capfd.readouterr().out)["checks"]
    (check,) = [check for check in checks if check["name"] == "search index"]
    assert check["status"] == "note"
    assert "makes the files anew" in check["advice"]


def test_a_removed_video_answers_no_more(films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    assert command("index", films / "cat.mp4", library=folder).returncode == 0
    asked = command("remove", "cat.mp4", library=folder, stdin=subprocess.DEVNULL)
    assert (asked.returncode, b"add --yes" in asked.stderr) == (2, True)
    assert command("remove", "cat.mp4", "--yes", library=folder).returncode == 0
    result = json.loads(command("search", "a cat", "--json", library=folder).stdout)
    assert (result["found"], result["hits"]) == (False, [])
    assert (films / "cat.mp4").exists()


@pytest.mark.parametrize("arguments", [("list",), ("search", "a cat"), ("list", "--json")])
def test_a_reader_that_has_seen_enough_is_no_error(
    library: Path, arguments: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "scenewise", *arguments],
            stdout=closed,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SCENEWISE_LIBRARY": str(library)},
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_file_name_that_is_no_text_is_printed_safely(films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    name = os.fsencode(folder) + b"/k\xe9tchup\x1b[31m.mp4"
    Path(os.fsdecode(name)).write_bytes((films / "cat.mp4").read_bytes())
    library = tmp_path / "library"
    done = command("index", folder, library=library)
    assert done.returncode == 0, done.stderr
    listed = command("list", library=library)
    assert b"k\\xe9tchup\\x1b[31m.mp4" in listed.stdout
    (video,) = json.loads(command("list", "--json", library=library).stdout)["videos"]
    assert os.fsencode(video["path"]) == name


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("index", "absent"), 2, "absent"),
        (("index", "empty"), 1, "no video"),
        (("index", "broken.mp4"), 1, "broken.mp4"),
        (("index", "empty", "--encoder", "nonsense"), None, ""),
        (("search", "?!"), 2, "holds no words"),
        (("search", "--image", "absent.png"), None, "absent.png"),
        (("similar", "absent.mp4"), None, "absent.mp4"),
        (("cut", "absent.mp4@1-2"), None, "absent.mp4"),
        (("reindex", "--encoder", "nonsense"), 2, "nonsense"),
        (("search", "a", "--library", "nowhere"), 1, "nowhere"),
        (("search", "a", "--library", "broken.mp4"), 1, "broken.mp4"),
        (("index", ".", "--library", "broken.mp4"), 1, "Name a folder"),
        (("backup", "broken.mp4"), 1, "Name a folder"),
        (("index", "~nobody.is.called.so/films"), 2, "write the whole path"),
        (("search", "a", "--library", "~nobody.is.called.so"), 2, "write the whole path"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_sentence(
    library: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int | None,
    words: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.mp4").write_text("not a film")
    monkeypatch.chdir(tmp_path)
    fresh = tmp_path / "fresh" if arguments[0] == "index" else library
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(fresh))
    ended = main(list(arguments))
    error = capfd.readouterr().err
    assert ended == code or (code is None and ended in (1, 2))
    assert words in error
    assert "bug" not in error
    assert "Traceback" not in error
    assert len(error.splitlines()) <= 2


def test_a_closed_stdout_is_no_error(library: Path) -> None:
    call = [sys.executable, "-m", "scenewise", "stats", "--library", str(library)]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *call], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_ctrl_c_ends_watching_with_130(films: Path, library: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "scenewise", "index", str(films), "--watch-folder", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCENEWISE_LIBRARY": str(library)},
    )
    assert process.stdout is not None
    try:
        first = json.loads(process.stdout.readline())  # the first run is over
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert first["unchanged"] == 2
    assert process.returncode == 130
    assert b"Traceback" not in error
