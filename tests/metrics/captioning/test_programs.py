"""METEOR's and SPICE's programs: missing, dying, hanging, talking nonsense. Stand-ins, no Java."""

from __future__ import annotations

import stat
import sys
import threading
from pathlib import Path

import pytest

from scenewise.errors import MetricError, MissingExtraError
from scenewise.metrics.captioning import evaluate, meteor, pair_up, spice, spice_program

PREDICTIONS = {"a": "a man walks", "b": "a ||| dog"}
REFERENCES = {"a": ["a man runs", "someone walks"], "b": ["the dog"]}


def _stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A program named java that does what the code says."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\nimport sys, time, json, pathlib\n{code}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("JAVA_HOME", str(folder))


# counts the fields of each SCORE line and gives them back as its score
ECHO = """
for line in sys.stdin:
    fields = line.rstrip("\\n").split(" ||| ")
    if fields[0] == "SCORE":
        print(len(fields) / 10, flush=True)
    else:
        print("\\n".join([*fields[1:], "0.5"]), flush=True)
"""


def test_what_is_said_to_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(tmp_path, monkeypatch, ECHO)
    before = threading.active_count()
    found = meteor(pair_up(PREDICTIONS, REFERENCES))
    assert found.corpus == 0.5
    assert found.by_id == {"a": 0.4, "b": 0.3}  # the bars of a caption add no field
    assert threading.active_count() <= before + 1  # a watch that was called off may be ending


def test_many_captions_do_not_stall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than any pipe holds in either direction, before anything is read."""
    slow = "lines = [sys.stdin.readline() for _ in range(3000)]"
    answer = "\nfor line in lines: print('0.5 ' * 100)\nsys.stdout.flush()\nsys.stdin.readline()"
    last = "\nfor number in range(3001): print(0.25)\nsys.stdout.flush()\ntime.sleep(60)"
    _stand_in(tmp_path, monkeypatch, slow + answer + last)
    predictions = {str(n): "a man walks along a road " * 5 for n in range(3000)}
    found = meteor(pair_up(predictions, {one: ["a man"] for one in predictions}), 60)
    assert found.corpus == 0.25
    assert len(found.by_id) == 3000


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("sys.exit('no memory\\nat line 5')", "ended after 0 of 2 answers: no memory$"),
        ("sys.exit(3)", "ended after 0 of 2 answers: it did not say why"),
        ("sys.stdin.readline(); print('1.0'); sys.exit()", "ended after 1 of 2 answers"),
        ("time.sleep(60)", "took too long and was stopped after 0 of 2 answers"),
        ("print('one\\n' * 9)", "could not convert string to float: 'one' where a score"),
    ],
)
def test_a_program_that_fails(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(tmp_path, monkeypatch, f"{code}\nsys.stdout.flush()\nsys.stdin.read()")
    with pytest.raises(MetricError, match=message):
        meteor(pair_up(PREDICTIONS, REFERENCES), timeout_seconds=0.5)


def test_without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingExtraError, match=r"no java on the PATH.*without=\(\"meteor\",\)"):
        evaluate(PREDICTIONS, REFERENCES)


def test_without_pycocoevalcap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "scenewise\[metrics\]".*"meteor"'):
        evaluate(PREDICTIONS, REFERENCES)
    with pytest.raises(MissingExtraError, match="SPICE is computed by the Java program"):
        spice(pair_up(PREDICTIONS, REFERENCES))


def test_spice_without_its_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded: the program is not even started."""
    _stand_in(tmp_path, monkeypatch, "pathlib.Path(__file__).with_name('started').touch()")
    monkeypatch.setattr(spice_program, "program_folder", lambda *_: tmp_path / "spice")
    with pytest.raises(MissingExtraError, match=r"corenlp-3\.6\.0\.jar and .*models\.jar in "):
        spice(pair_up(PREDICTIONS, REFERENCES))
    assert not (tmp_path / "bin" / "started").exists()


def _spice_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    for name in ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar"):
        (folder / "spice" / "lib").mkdir(parents=True, exist_ok=True)
        (folder / "spice" / "lib" / name).touch()
    monkeypatch.setattr(spice_program, "program_folder", lambda *_: folder / "spice")
    _stand_in(folder, monkeypatch, code)


# the score of a caption is a tenth of its references
SPICE = """
given = json.loads(pathlib.Path(sys.argv[sys.argv.index("-jar") + 2]).read_text())
assert given[1]["test"] == "a | | | dog", given
found = [{"image_id": one["image_id"], "scores": {"All": {"f": F}}} for one in reversed(given)]
pathlib.Path(sys.argv[sys.argv.index("-out") + 1]).write_text(json.dumps(found))
"""


def test_what_spice_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _spice_folder(tmp_path, monkeypatch, SPICE.replace("F}", 'len(one["refs"]) / 10}'))
    found = spice(pair_up(PREDICTIONS, REFERENCES))
    assert found.by_id == {"a": 0.2, "b": 0.1}
    assert found.corpus == pytest.approx(0.15)
    assert [one.name for one in (tmp_path / "spice").iterdir()] == [
        "lib"
    ]  # nothing is left beside the program


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (SPICE.replace("F}", "float('nan')}"), "gave no number for 2 of the captions"),
        (SPICE.replace("F}", "None}"), "answer cannot be read"),
        (SPICE.replace('"image_id"', '"image"'), "the SPICE program failed: "),
        ("sys.exit('out of memory')", "the SPICE program failed: out of memory"),
        ("time.sleep(60)", "was stopped after 1 s"),
    ],
)
def test_a_spice_that_fails(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spice_folder(tmp_path, monkeypatch, code)
    with pytest.raises(MetricError, match=message):
        spice(pair_up(PREDICTIONS, REFERENCES), timeout_seconds=1)
