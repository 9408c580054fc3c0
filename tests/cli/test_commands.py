"""The commands, on a library that remembers how it was called: options, output, exit codes."""

from __future__ import annotations

import io
import json as json_module
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from scenewise.cli import main, options
from scenewise.config import Settings
from scenewise.errors import LibraryLockedError, LibraryNotFoundError, UsageError
from scenewise.index.catalog import Catalog
from scenewise.types import (
    Failure,
    IndexReport,
    Moment,
    Progress,
    SearchResult,
    Video,
    Why,
)


@dataclass
class Ran:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout, read as JSON."""
        return json_module.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """Stdout, line by line."""
        return self.out.splitlines()


@dataclass
class FakeLibrary:
    """Answers from lists and writes down every call."""

    entries: list[Video] = field(default_factory=list)
    hits: tuple[Moment, ...] = ()
    found: bool = True
    report: IndexReport = field(default_factory=lambda: report())
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    problem: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.calls.append(("close", {}))

    def _call(self, name: str, **values: Any) -> None:
        self.calls.append((name, values))
        if self.problem is not None:
            raise self.problem

    def arguments(self, name: str) -> dict[str, Any]:
        """Of the one call with this name."""
        (found,) = [values for called, values in self.calls if called == name]
        return found

    def index(
        self, paths: list[Path], *, progress: Callable[[Progress], None] | None, **options: Any
    ) -> IndexReport:
        self._call("index", paths=paths, **options)
        if progress is not None:
            progress(Progress(1, 2, 60.0, 2.0, "/films/one.mp4"))
            progress(Progress(2, 2, 100.0, 4.0, "/films/two.mp4"))
        return self.report

    def reindex(
        self, *, progress: Callable[[Progress], None] | None, **options: Any
    ) -> IndexReport:
        self._call("reindex", **options)
        return self.report

    def watch_folder(self, paths: list[Path], **options: Any) -> Iterator[IndexReport]:
        self._call("watch_folder", paths=paths, **options)
        yield self.report
        raise KeyboardInterrupt

    def search(self, query: str | None, *, image: Path | None, **options: Any) -> SearchResult:
        self._call("search", query=query, image=image, **options)
        return SearchResult(query or "", "concept", self.found, self.hits)

    def search_many(self, queries: list[str], **options: Any) -> list[SearchResult]:
        self._call("search_many", queries=queries, **options)
        return [SearchResult(query, "concept", self.found, self.hits) for query in queries]

    def similar(self, video: str, *, time: float | None, top_k: int) -> SearchResult:
        self._call("similar", video=video, time=time, top_k=top_k)
        return SearchResult(video, "concept", self.found, self.hits)

    def videos(self) -> list[Video]:
        return self.entries

    def remove(self, videos: list[str]) -> int:
        self._call("remove", videos=videos)
        return len(videos)

    def backup(self, target: Path) -> Path:
        self._call("backup", target=target)
        return target

    def cut(self, hits: list[Moment], folder: Path, **options: Any) -> list[Path]:
        self._call("cut", hits=list(hits), folder=folder, **options)
        return [folder / f"clip{number}.mp4" for number in range(len(hits))]


def report(**changes: Any) -> IndexReport:
    """A run that indexed two videos, but for the changes."""
    values: dict[str, Any] = {
        "indexed": 2,
        "recognised": 0,
        "unchanged": 0,
        "missing": 0,
        "failed": (),
        "skipped_failed": 0,
        "video_seconds": 100.0,
        "wall_seconds": 4.0,
    }
    return IndexReport(**{**values, **changes})


def failure(name: str = "/films/bad.mp4") -> Failure:
    """A file that is no video."""
    return Failure(name, "is no video that can be read")


def moment(rank: int = 1, path: str = "/films/clip.mp4", start: float = 135.0) -> Moment:
    """A hit of 3.5 seconds with two concepts."""
    why = (Why("concept", "tabby cat"), Why("concept", "Egyptian cat"))
    return Moment(rank, "abcd1234", path, start, start + 3.5, 0.42, 0.87, why, start + 1)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLibrary:
    """Takes the place of every library that a command opens."""
    fake = FakeLibrary(hits=(moment(),))
    folder = tmp_path / "library"
    Catalog.open(folder, write=True, create=True).close()  # keeps the last search
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(folder))

    def open_fake(
        settings: Settings, *, encoder: str | None = None, create: bool = False
    ) -> FakeLibrary:
        fake.calls.append(("open", {"settings": settings, "encoder": encoder, "create": create}))
        if not settings.library.exists() and not create:
            raise LibraryNotFoundError(f"There is no library in {settings.library}.")
        return fake

    for module in ("indexing", "searching", "managing", "doctor"):
        monkeypatch.setattr(f"scenewise.cli.{module}.open_library", open_fake)
    monkeypatch.setattr(options, "open_library", open_fake)
    return fake


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run_command(*arguments: str | Path) -> Ran:
        capfd.readouterr()
        code = main.main([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return Ran(code, printed.out, printed.err)

    return run_command


# index and reindex


def test_index_passes_every_option_on(library: FakeLibrary, run: Run) -> None:
    done = run(
        *("index", "films", "more.mp4", "--fps", "1.5", "--workers", "3", "--no-recursive"),
        *("--retry-failed", "--ann", "ivfpq", "--encoder", "concept", "--threads", "2"),
    )
    assert done.code == 0
    assert library.arguments("index") == {
        "paths": [Path("films"), Path("more.mp4")],
        "fps": 1.5,
        "frames": None,
        "recursive": False,
        "workers": 3,
        "retry_failed": True,
        "ann": "ivfpq",
        "text": None,
        "speech_model": None,
        "speech_language": None,
        "audio_encoder": None,
        "dry_run": False,
    }
    opened = library.arguments("open")
    assert (opened["encoder"], opened["create"], opened["settings"].threads) == ("concept", True, 2)
    assert library.calls[-1] == ("close", {})


def test_index_sums_up_on_stdout_and_shows_progress_on_stderr(
    library: FakeLibrary, run: Run
) -> None:
    library.report = report(unchanged=3, failed=(failure(),), skipped_failed=1)
    done = run("index", "films")
    assert done.code == 3
    assert done.lines == ["indexed 2 videos (2 min of video in 4 s), 3 unchanged, 1 failed"]
    assert "2/2 videos, 25.0 s of video per second" in done.err
    assert "failed: /films/bad.mp4: is no video that can be read" in done.err
    assert "1 file failed before and did not change; --retry-failed tries again." in done.err


def test_files_that_were_indexed_in_part_are_named(library: FakeLibrary, run: Run) -> None:
    library.report = report(damaged=(Failure("/films/torn.mkv", "it breaks off"),))
    done = run("index", "films")
    assert (done.code, done.lines) == (
        0,
        ["indexed 2 videos (2 min of video in 4 s), 1 of them damaged and indexed in part"],
    )
    assert "damaged: /films/torn.mkv: it breaks off" in done.err
    assert run("index", "films", "--json").json["damaged"][0]["reason"] == "it breaks off"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"damaged": (failure(),)}, 0),
        ({"indexed": 0, "unchanged": 5}, 0),
        ({"indexed": 0, "recognised": 1, "failed": (failure(),)}, 3),
        ({"failed": (failure(),)}, 3),
        ({"indexed": 0, "failed": (failure(),)}, 1),
        ({"indexed": 0, "skipped_failed": 1}, 1),
        ({"unchanged": 5, "skipped_failed": 1}, 0),
        ({"interrupted": True, "failed": (failure(),)}, 130),
    ],
)
def test_index_exit_codes(
    library: FakeLibrary, run: Run, changes: dict[str, Any], code: int
) -> None:
    library.report = report(**changes)
    assert run("index", "films").code == code
    assert run("reindex").code == code


def test_an_interrupted_index_says_how_to_go_on(library: FakeLibrary, run: Run) -> None:
    library.report = report(interrupted=True)
    assert "Give the same command again to go on." in run("index", "films", "-q").err


def test_index_json_is_the_report(library: FakeLibrary, run: Run) -> None:
    library.report = report(failed=(failure(),))
    done = run("index", "films", "--json", "--dry-run")
    assert done.json["indexed"] == 2
    assert done.json["failed"] == [
        {"path": "/films/bad.mp4", "reason": "is no video that can be read"}
    ]
    assert library.arguments("index")["dry_run"] is True


def test_quiet_leaves_results_and_failures(library: FakeLibrary, run: Run) -> None:
    library.report = report(failed=(failure(),), skipped_failed=1)
    done = run("index", "films", "--quiet")
    assert done.err == "failed: /films/bad.mp4: is no video that can be read\n"
    assert len(done.lines) == 1


def test_many_failures_are_cut_short_but_not_with_verbose(library: FakeLibrary, run: Run) -> None:
    library.report = report(failed=tuple(failure(f"/films/{n}.mp4") for n in range(50)))
    short = run("index", "films")
    assert short.err.count("failed: ") == 20
    assert "and 30 more" in short.err
    assert run("index", "films", "-v").err.count("failed: ") == 50


def test_watching_reports_each_run_as_a_line_until_interrupted(
    library: FakeLibrary, run: Run
) -> None:
    done = run("index", "films", "--watch-folder", "--json")
    assert done.code == 130
    assert [json_module.loads(line)["indexed"] for line in done.lines] == [2]
    assert library.arguments("watch_folder")["stop"].is_set()
    assert not [call for call in library.calls if call[0] == "index"]


def test_reindex_passes_on_and_plans(library: FakeLibrary, run: Run) -> None:
    library.entries = [VIDEO, GONE]
    assert run("reindex", "--encoder", "./siglip", "--frames", "8").code == 0
    asked = library.arguments("reindex")
    assert asked == {"encoder": "./siglip", "fps": None, "frames": 8, "workers": None}
    assert run("reindex", "--dry-run").lines == ["would decode 1 video, 60 s"]


# search and similar


def test_search_passes_every_option_on(library: FakeLibrary, run: Run) -> None:
    done = run(
        *("search", "a dog", "-k", "3", "--min-match", "0.5", "--group", "video"),
        *("--video", "abcd", "--path", "*.mp4", "--after", "1970-01-02T00:00+00:00"),
        *("--before", "1970-01-03T00:00+00:00", "--min-duration", "01:30"),
        *("--max-duration", "90.5", "--include-missing", "--in", "text, visual"),
        *("--then", "a cat", "--then", "a bird", "--within", "01:30", "--not", "people"),
        *("--classifier", "pets=cat", "--all"),
    )
    assert done.code == 0
    assert library.arguments("search") == {
        "query": "a dog",
        "image": None,
        "modalities": ("text", "visual"),
        "then": ("a cat", "a bird"),
        "within_seconds": 90.0,
        "without": ("people",),
        "classifier": "pets=cat",
        "all_occurrences": True,
        "top_k": 3,
        "min_match": 0.5,
        "group": "video",
        "video": "abcd",
        "path": "*.mp4",
        "after": 86400.0,
        "before": 172800.0,
        "min_duration": 90.0,
        "max_duration": 90.5,
        "include_missing": True,
    }


def test_what_is_not_given_is_left_to_the_library(library: FakeLibrary, run: Run) -> None:
    run("search", "a dog")
    asked = library.arguments("search")
    assert asked["modalities"] == ("visual", "text", "audio")
    assert (asked["then"], asked["without"], asked["classifier"]) == ((), (), None)
    assert (asked["within_seconds"], asked["top_k"], asked["all_occurrences"]) == (
        None,
        None,
        False,
    )


def test_a_classifier_alone_is_a_search(library: FakeLibrary, run: Run) -> None:
    assert run("search", "--classifier", "pets").code == 0
    asked = library.arguments("search")
    assert (asked["query"], asked["classifier"]) == (None, "pets")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "a", "--in", "smell"), "'smell' is no way to search; allowed: visual, text"),
        (("search", "a", "--in", ""), "allowed: visual, text, audio"),
        (("search", "a", "--within", "5"), "give --then, too"),
        (("search",), "or --classifier NAME"),
        (("search", "--image", "a.png", "--queries", "b.txt"), "exclude each other"),
    ],
)
def test_what_does_not_go_together_is_said(
    library: FakeLibrary, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert message in done.err
    assert not [name for name, _ in library.calls if name == "search"]


def test_words_without_quotes_are_one_query(library: FakeLibrary, run: Run) -> None:
    run("search", "a", "dog", "on", "a", "skateboard")
    assert library.arguments("search")["query"] == "a dog on a skateboard"


def test_a_hit_for_a_person(library: FakeLibrary, run: Run) -> None:
    assert run("search", "a cat").lines == [
        "#1 [0.87] /films/clip.mp4 02:15.0-02:18.5",
        "    concept: tabby cat, Egyptian cat",
    ]


def test_verbose_adds_a_line_for_the_player(library: FakeLibrary, run: Run) -> None:
    library.hits = (moment(path="/films/it's here.mp4"),)
    last = run("search", "a cat", "-v").lines[-1]
    assert last.strip() == """mpv --start=135.0 --end=138.5 '/films/it'"'"'s here.mp4'"""


def test_below_the_current_folder_paths_are_relative(
    library: FakeLibrary, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    library.hits = (moment(path=str(tmp_path / "films" / "clip.mp4")),)
    assert run("search", "a cat").lines[0] == "#1 [0.87] films/clip.mp4 02:15.0-02:18.5"


@pytest.mark.parametrize(
    ("hits", "first"),
    [((moment(),), "nothing found; nearest:"), ((), "nothing found")],
)
def test_nothing_found_is_an_answer(
    library: FakeLibrary, run: Run, hits: tuple[Moment, ...], first: str
) -> None:
    library.found, library.hits = False, hits
    done = run("search", "a guitar")
    assert done.code == 0
    assert done.lines[0] == first


def test_hits_that_were_all_cut_off_are_not_nothing(library: FakeLibrary, run: Run) -> None:
    library.found, library.hits = True, ()
    assert run("search", "a cat", "--min-match", "1").lines == ["no hit reaches --min-match"]


def test_search_json_has_the_documented_shape(library: FakeLibrary, run: Run) -> None:
    assert run("search", "a cat", "--json").json == {
        "query": "a cat",
        "encoder": "concept",
        "found": True,
        "hits": [
            {
                "rank": 1,
                "video_id": "abcd1234",
                "path": "/films/clip.mp4",
                "start": 135.0,
                "end": 138.5,
                "score": 0.42,
                "match": 0.87,
                "why": [
                    {"kind": "concept", "modality": "visual", "detail": "tabby cat"},
                    {"kind": "concept", "modality": "visual", "detail": "Egyptian cat"},
                ],
                "thumbnail_time": 136.0,
            }
        ],
    }


def test_several_queries(library: FakeLibrary, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "queries.txt"
    file.write_text("\ufeffa cat\n\n# a comment\n a dog \n", "utf-8")
    person = run("search", "--queries", file)
    assert library.arguments("search_many")["queries"] == ["a cat", "a dog"]
    assert [line for line in person.lines if line.startswith("query")] == [
        "query: a cat",
        "query: a dog",
    ]
    assert [shape["query"] for shape in run("search", "--queries", file, "--json").json] == [
        "a cat",
        "a dog",
    ]
    lines = run("search", "--queries", file, "--jsonl").lines
    assert [json_module.loads(line)["query"] for line in lines] == ["a cat", "a dog"]


def test_search_by_picture(library: FakeLibrary, run: Run) -> None:
    assert run("search", "--image", "cat.png").code == 0
    asked = library.arguments("search")
    assert (asked["query"], asked["image"]) == (None, Path("cat.png"))


def test_clips_of_the_hits_are_cut(library: FakeLibrary, run: Run, tmp_path: Path) -> None:
    done = run("search", "a cat", "--save-clips", tmp_path / "clips", "--json")
    assert library.arguments("cut")["hits"] == [moment()]
    assert done.json["hits"]
    assert "wrote 1 clip" in done.err


def test_the_nearest_hits_are_not_cut(library: FakeLibrary, run: Run, tmp_path: Path) -> None:
    library.found = False
    done = run("search", "a cat", "--save-clips", tmp_path / "clips")
    assert done.code == 0
    assert done.out.startswith("nothing found; nearest:")
    assert "no clips were written" in done.err
    assert not [called for called, _ in library.calls if called == "cut"]


@pytest.mark.parametrize(
    ("typed", "time"), [("films/a@b.mp4@01:05.5", 65.5), ("abcd1234", None), ("abcd@3", 3.0)]
)
def test_similar(library: FakeLibrary, run: Run, typed: str, time: float | None) -> None:
    assert run("similar", typed, "-k", "4").code == 0
    name = typed if time is None else typed.rpartition("@")[0]
    assert library.arguments("similar") == {"video": name, "time": time, "top_k": 4}


def test_a_file_name_with_an_at_is_that_file(
    library: FakeLibrary, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "clip@5"
    file.touch()
    run("similar", file)
    assert library.arguments("similar")["video"] == str(file)


# list, stats, remove, backup, cut

VIDEO = Video("abcd1234ef567890", "/films/clip.mp4", 60.0, "ready", windows=120)
GONE = Video("bbbb1234ef567890", "/films/gone.mp4", 3725.04, "missing")
BAD = Video(None, "/films/bad.mp4", None, "failed", "is no video that can be read")


def test_list_in_a_pipe_is_tab_separated_and_whole(library: FakeLibrary, run: Run) -> None:
    long = replace(VIDEO, path="/" + "x" * 300 + ".mp4")
    library.entries = [long, GONE, BAD]
    assert [line.split("\t") for line in run("list").lines] == [
        ["ready", "01:00.0", "abcd1234ef56", long.path, ""],
        ["missing", "01:02:05.0", "bbbb1234ef56", "/films/gone.mp4", ""],
        ["failed", "-", "-", "/films/bad.mp4", "is no video that can be read"],
    ]


def test_list_says_what_of_a_ready_file_could_not_be_read(library: FakeLibrary, run: Run) -> None:
    library.entries = [replace(VIDEO, warnings=("2 packet(s) could not be decoded", "it is short"))]
    assert run("list").lines[0].endswith("\t2 packet(s) could not be decoded; it is short")
    (shape,) = run("list", "--json").json["videos"]
    assert (shape["state"], len(shape["warnings"])) == ("ready", 2)


def test_list_json(library: FakeLibrary, run: Run) -> None:
    library.entries = [VIDEO]
    shape = run("list", "--json").json
    assert list(shape) == ["videos"]
    assert shape["videos"][0]["video_id"] == VIDEO.video_id
    assert {"path", "duration", "state", "reason"} <= set(shape["videos"][0])


def test_an_empty_list_says_what_to_do_next(library: FakeLibrary, run: Run) -> None:
    done = run("list")
    assert (done.code, done.out) == (0, "")
    assert "scenewise index PATH" in done.err


@pytest.mark.parametrize(
    ("name", "removed"),
    [
        ("abcd1234ef567890", VIDEO),
        ("abcd", VIDEO),
        ("/films/clip.mp4", VIDEO),
        ("clip.mp4", VIDEO),
        ("/films/bad.mp4", BAD),
        ("--missing", GONE),
    ],
)
def test_remove_names_videos_in_every_way(
    library: FakeLibrary, run: Run, name: str, removed: Video
) -> None:
    library.entries = [VIDEO, GONE, BAD]
    done = run("remove", name, "--yes")
    assert (done.code, done.lines) == (0, [f"removed {removed.path}"])
    assert library.arguments("remove") == {"videos": [removed.video_id or removed.path]}


@pytest.mark.parametrize("name", ["abc", "zzzz", "other.mp4", ""])
def test_remove_refuses_what_it_does_not_know(library: FakeLibrary, run: Run, name: str) -> None:
    library.entries = [VIDEO]
    done = run("remove", name, "--yes")
    assert done.code == 2
    assert "is no video of this library" in done.err
    assert not [call for call in library.calls if call[0] == "remove"]


def test_remove_names_all_files_of_a_content(library: FakeLibrary, run: Run) -> None:
    copy = replace(VIDEO, path="/other/copy.mp4")
    library.entries = [VIDEO, BAD, copy]
    done = run("remove", "clip.mp4", "--yes")
    assert done.lines == ["removed /films/clip.mp4", "removed /other/copy.mp4"]
    assert library.arguments("remove") == {"videos": [VIDEO.video_id]}


def test_remove_refuses_an_ambiguous_name(library: FakeLibrary, run: Run) -> None:
    library.entries = [VIDEO, replace(VIDEO, video_id="abcd9999", path="/other/clip.mp4")]
    for name in ("abcd", "clip.mp4"):
        assert "could be any of 2 videos" in run("remove", name, "--yes").err


def test_remove_asks_and_without_a_terminal_wants_yes(library: FakeLibrary, run: Run) -> None:
    library.entries = [VIDEO]
    done = run("remove", "clip.mp4")
    assert done.code == 2
    assert "add --yes" in done.err
    assert not [call for call in library.calls if call[0] == "remove"]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_remove_does_what_the_answer_says(
    library: FakeLibrary, run: Run, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    library.entries = [VIDEO]
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert run("remove", "clip.mp4").code == code
    removed = [call for call in library.calls if call[0] == "remove"]
    assert len(removed) == (1 if code == 0 else 0)


def test_dry_runs_write_nothing(library: FakeLibrary, run: Run, tmp_path: Path) -> None:
    library.entries = [VIDEO]
    assert run("remove", "abcd", "--dry-run").lines == ["would remove /films/clip.mp4"]
    assert run("backup", tmp_path / "copy", "--dry-run").code == 0
    assert run("cut", "abcd@1-2", "--dry-run").lines == ["would cut abcd@1-2 into ."]
    assert {name for name, _ in library.calls} == {"open", "close"}


def test_backup_prints_where(library: FakeLibrary, run: Run, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert run("backup", target).lines == [f"wrote {target}"]
    assert run("backup", target, "--json").json == {"backup": str(target), "dry_run": False}


def test_cut_takes_typed_hits_and_hits_of_the_last_search(
    library: FakeLibrary, run: Run, tmp_path: Path
) -> None:
    library.hits = (moment(1), moment(2, start=7.0))
    run("search", "a cat")
    done = run(
        *("cut", "clip.mp4@00:01-3.5", "--last", "2", "--last", "1", "--copy"),
        *("--padding", "0.5", "-o", tmp_path, "--reel", tmp_path / "reel.mp4"),
    )
    assert done.code == 0
    assert library.arguments("cut") == {
        "hits": ["clip.mp4@00:01-3.5", moment(2, start=7.0), moment(1)],
        "folder": tmp_path,
        "exact": False,
        "padding": 0.5,
        "reel": tmp_path / "reel.mp4",
    }
    assert len(done.lines) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cut",), "nothing to cut"),
        (("cut", "--last", "1"), "nothing was searched yet"),
        (("cut", "clip.mp4"), "VIDEO@START-END"),
        (("cut", "clip.mp4@3-2"), "does not end after its start"),
        (("cut", "--last", "0"), "'0' is not a whole number of at least 1"),
        (("search",), "nothing to search for"),
        (("search", "a", "--image", "b.png"), "exclude each other"),
        (("search", "a", "-k", "many"), "'many' is not a whole number from 1 to 1000"),
        (("search", "a", "--min-match", "1.5"), "'1.5' is not a number from 0 to 1"),
        (("search", "a", "--min-match", "nan"), "'nan' is not a number from 0 to 1"),
        (("search", "a", "--group", "shot"), "'shot' is not one of 'moment', 'video'"),
        (("search", "a", "--after", "soon"), "'soon' is not a date; write 2026-03-31"),
        (("search", "a", "--min-duration", "1:99"), "--min-duration: '1:99' is not a time"),
        (("search", "--queries", "absent.txt"), "absent.txt cannot be read"),
        (("search", "--queries", "q", "--save-clips", "d"), "go with one query"),
        (("index", "a", "--fps", "1", "--frames", "8"), "exclude each other"),
        (("index", "a", "--watch-folder", "--dry-run"), "--watch-folder goes without"),
        (("index", "a", "--device", "tpu"), "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (("index",), "Missing argument 'PATH'"),
        (("index", ""), "Invalid value for 'PATH': an empty path"),
        (("list", "--library", " "), "Invalid value for '--library': an empty path"),
        (("remove",), "name the videos to remove, or --missing"),
        (("remove", "a", "--missing"), "one of both"),
        (("serch", "a"), "No such command 'serch'. Did you mean 'search'"),
        (("list", "--jsn"), "No such option: --jsn"),
        (("similar", "abcd@soon"), "VIDEO@TIME 'abcd@soon': 'soon' is not a time"),
        (("cut", "a.mp4@1-"), "the hit 'a.mp4@1-': '' is not a time"),
        (("cut", "a.mp4@2-2"), "'a.mp4@2-2' does not end after its start"),
        (("search", "a", "--contact-sheet", "a.bmp2"), "not '.bmp2'"),
    ],
)
def test_usage_errors_are_one_line_and_exit_2(
    library: FakeLibrary, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_last_names_the_hits_there_are(library: FakeLibrary, run: Run) -> None:
    run("search", "a cat")
    assert "has no hit 2; allowed: 1 to 1" in run("cut", "--last", "2").err
    library.hits = ()
    run("search", "a dog")
    assert "none, it found nothing" in run("cut", "--last", "1").err


@pytest.mark.parametrize(
    ("text", "next_step"),
    [
        ("{", "run `scenewise search` first"),
        ("[]", "run `scenewise search` first"),
        ('{"hits": [{"rank": 1}]}', "search again"),
        ('{"hits": 3}', "search again"),
    ],
)
def test_a_damaged_last_search_is_one_sentence(
    library: FakeLibrary, run: Run, text: str, next_step: str
) -> None:
    run("search", "a cat")
    (file,) = Path(os.environ["SCENEWISE_LIBRARY"]).glob("*last*search*")
    file.write_text(text)
    done = run("cut", "--last", "1")
    assert done.code == 2
    assert next_step in done.err


def test_what_exists_is_not_overwritten_unasked(
    library: FakeLibrary, run: Run, tmp_path: Path
) -> None:
    for name, arguments in (
        ("film.mp4", ("cut", "a@1-2", "--reel")),
        ("sheet.png", ("search", "a", "--contact-sheet")),
    ):
        (tmp_path / name).write_text("precious")
        done = run(*arguments, tmp_path / name)
        assert done.code == 2
        assert "exists; choose another name, or --yes" in done.err
        assert (tmp_path / name).read_text() == "precious"


# errors


@pytest.mark.parametrize(
    ("problem", "code", "message"),
    [
        (UsageError("the query '' holds no words."), 2, "scenewise: the query '' holds no words."),
        (LibraryLockedError("process 7 writes."), 1, "scenewise: process 7 writes."),
        (
            OSError(28, "No space left on device", "/films/x"),
            1,
            "scenewise: /films/x: No space left on device; check the path, its permissions and the "
            "space on the disk, then repeat the command.",
        ),
        (
            RuntimeError("broken\nin two"),
            1,
            "scenewise: this is a bug in scenewise: RuntimeError: broken\\x0ain two; "
            "run with -v for the traceback",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_is_one_sentence_and_an_exit_code(
    library: FakeLibrary, run: Run, problem: BaseException, code: int, message: str
) -> None:
    library.problem = problem
    done = run("search", "a cat", "--json")
    assert (done.code, done.out, done.err) == (code, "", message and message + "\n")


def test_ctrl_c_inside_a_compiled_import_is_no_bug(library: FakeLibrary, run: Run) -> None:
    problem = ImportError("initialization failed")
    problem.__cause__ = KeyboardInterrupt()
    library.problem = problem
    done = run("search", "a cat")
    assert (done.code, done.out, done.err) == (130, "", "")


def test_the_traceback_comes_with_verbose(library: FakeLibrary, run: Run) -> None:
    library.problem = RuntimeError("broken")
    assert "Traceback" not in run("search", "a cat").err
    assert "Traceback" in run("search", "a cat", "-v").err


def test_a_library_that_is_not_there(library: FakeLibrary, run: Run, tmp_path: Path) -> None:
    done = run("search", "a cat", "--library", tmp_path / "absent")
    assert (done.code, done.out) == (1, "")
    assert f"There is no library in {tmp_path / 'absent'}" in done.err


def test_wishes_for_text_reach_the_library(library: FakeLibrary, run: Run) -> None:
    run("index", "films", "--text", "ocr,speech", "--speech-model", "m", "--speech-language", "en")
    options = library.arguments("index")
    named = {name: options[name] for name in ("text", "speech_model", "speech_language")}
    assert named == {"text": "ocr,speech", "speech_model": "m", "speech_language": "en"}


def test_known_videos_that_got_text_are_counted(library: FakeLibrary, run: Run) -> None:
    library.report = report(indexed=0, video_seconds=0.0, unchanged=5, tracked=2)
    assert run("index", "films").lines == [
        "indexed 0 videos, 2 known read again for text or sound, 5 unchanged"
    ]


def test_watching_a_folder_goes_on_with_the_text_that_is_kept(run: Run) -> None:
    done = run("index", "films", "--watch-folder", "--text", "ocr")
    assert done.code == 2
    assert "run once with those first" in done.err
