"""``scenewise search`` and ``scenewise similar``: the commands that answer with hits.

They read options and print; the library searches. Nothing here imports torch or transformers.
The functions are long because every option is a parameter of theirs; what they do is short.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from scenewise.cli.last_search import remember
from scenewise.cli.options import (
    DeviceOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    YesOption,
    open_library,
    settings_of,
)
from scenewise.cli.output import Output, plural, print_result, printable
from scenewise.cli.reading import (
    check_free,
    check_words,
    number,
    read_date,
    read_duration,
    read_modalities,
    read_queries,
    read_video_at,
    whole_number,
)
from scenewise.errors import UsageError
from scenewise.media.whole_file import check_picture

if TYPE_CHECKING:
    from scenewise.library import Library
    from scenewise.types import SearchResult

TopKOption = Annotated[
    int,
    typer.Option("--top-k", "-k", parser=whole_number(1, 1000), metavar="N", help="Hits at most."),
]
JsonLinesOption = Annotated[bool, typer.Option("--jsonl", help="Print one line of JSON per query.")]


def search(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUERY", help="What to look for, in words.", show_default=False),
    ] = None,
    library: LibraryOption = None,
    modalities: Annotated[
        str,
        typer.Option(
            "--in",
            parser=read_modalities,
            metavar="SENSES",
            help="Where to look, joined by commas: visual, text, audio.",
        ),
    ] = "visual,text,audio",
    then: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORDS",
            help="What has to follow in the same video; may be repeated.",
            show_default=False,
        ),
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How soon --then has to follow. Default: 60 seconds.",
            show_default=False,
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--not",
            metavar="WORDS",
            help="Push away what shows this; may be repeated.",
            show_default=False,
        ),
    ] = None,
    classifier: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[=LABEL]",
            help="What a named classifier sees; alone, or beside words.",
            show_default=False,
        ),
    ] = None,
    all_occurrences: Annotated[
        bool, typer.Option("--all", help="Every occurrence in every video, and how many.")
    ] = False,
    top_k: Annotated[
        int | None,
        typer.Option(
            "--top-k",
            "-k",
            parser=whole_number(1, 1000),
            metavar="N",
            help="Hits at most. Default: 10; with --all, all.",
            show_default=False,
        ),
    ] = None,
    min_match: Annotated[
        float | None,
        typer.Option(
            parser=number(0, 1),
            metavar="P",
            help="Only hits with at least this match.",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        Literal["moment", "video"],
        typer.Option(help="Rank moments, or videos with their best moment."),
    ] = "moment",
    video: Annotated[
        str | None,
        typer.Option(
            metavar="VIDEO", help="Only in this video: path, name or id.", show_default=False
        ),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            metavar="GLOB",
            help="Only in files whose path matches, such as '*/holiday/*.mp4'.",
            show_default=False,
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Only files of this date or later.", show_default=False),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Only files before this date.", show_default=False),
    ] = None,
    min_duration: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only videos at least this long.", show_default=False),
    ] = None,
    max_duration: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only videos at most this long.", show_default=False),
    ] = None,
    include_missing: Annotated[
        bool, typer.Option("--include-missing", help="Also videos whose file is gone.")
    ] = False,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Search by a picture.", show_default=False),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Search for each line of a file; - is stdin.", show_default=False
        ),
    ] = None,
    save_clips: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Cut the hits into this folder.", show_default=False),
    ] = None,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a picture of the hits (png, jpg).", show_default=False
        ),
    ] = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
    jsonl: JsonLinesOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find moments by words, by a picture or by a classifier.

    Words are looked for in what is seen, read (subtitles, on-screen text, speech) and heard. Ends
    with exit code 0 also when nothing is found. The figure in brackets is the estimated
    probability that a hit is right.
    """
    out = Output.start(json=json or jsonl, quiet=quiet, verbose=verbose)
    words = " ".join(query) if query is not None else None
    _check_one_source(words, image, queries, classifier)
    for name, texts in (("--then", then), ("--not", without)):
        check_words(name, texts or ())
    if within is not None and not then:
        raise UsageError("--within says how soon --then has to follow; give --then, too.")
    if queries is not None and (save_clips or contact_sheet):
        raise UsageError("--save-clips and --contact-sheet go with one query, not with --queries.")
    if contact_sheet is not None:
        check_picture(contact_sheet, "a contact sheet")
        check_free(contact_sheet, yes)
    options: dict[str, Any] = {
        "modalities": modalities,
        "then": tuple(then or ()),
        "within_seconds": read_duration("--within", within),
        "without": tuple(without or ()),
        "classifier": classifier,
        "all_occurrences": all_occurrences,
        "top_k": top_k,
        "min_match": min_match,
        "group": group,
        "video": video,
        "path": path,
        "after": read_date("--after", after),
        "before": read_date("--before", before),
        "min_duration": read_duration("--min-duration", min_duration),
        "max_duration": read_duration("--max-duration", max_duration),
        "include_missing": include_missing,
    }
    settings = settings_of(library=library, device=device, threads=threads)
    with open_library(settings) as opened:
        if queries is not None:
            results = opened.search_many(read_queries(queries), **options)
            remember(settings.library, results[-1])
            _print_many(out, results, lines=jsonl)
            return
        result = opened.search(words, image=image, **options)
        remember(settings.library, result)
        _print_one(out, result, lines=jsonl)
        _write_files(out, opened, result, save_clips, contact_sheet)


def similar(
    video: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO[@TIME]", help="A video by path, name or id, and an instant of it."
        ),
    ],
    library: LibraryOption = None,
    top_k: TopKOption = 10,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find what looks like a video, or one instant of it.

    The video is one of the library; what looks like it is searched in all others.
    """
    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    name, time = read_video_at(video)
    settings = settings_of(library=library)
    with open_library(settings) as opened:
        result = opened.similar(name, time=time, top_k=top_k)
    remember(settings.library, result)
    _print_one(out, result)


def _check_one_source(
    words: str | None, image: Path | None, queries: Path | None, classifier: str | None
) -> None:
    given = [source for source in (words, image, queries) if source is not None]
    if not given and classifier is None:
        raise UsageError(
            'nothing to search for; give words, such as scenewise search "a dog", '
            "or --image FILE, or --queries FILE, or --classifier NAME."
        )
    if len(given) > 1:
        raise UsageError("words, --image and --queries exclude each other; give one of them.")


def _print_one(out: Output, result: SearchResult, *, lines: bool = False) -> None:
    if lines:
        out.record(result.to_dict())
    elif out.json:
        out.document(result.to_dict())
    else:
        print_result(out, result)


def _print_many(out: Output, results: list[SearchResult], *, lines: bool) -> None:
    if out.json and not lines:
        out.document([result.to_dict() for result in results])
        return
    for position, result in enumerate(results):
        if lines:
            out.record(result.to_dict())
            continue
        if position:
            out.result()
        out.result(f"query: {printable(result.query)}")
        print_result(out, result)


def _write_files(
    out: Output,
    library: Library,
    result: SearchResult,
    save_clips: Path | None,
    contact_sheet: Path | None,
) -> None:
    """What was asked for beside the answer; where it went is said on stderr."""
    if save_clips is not None and result.hits and not result.found:
        out.note("nothing was found, so no clips were written; the hits are only the nearest")
    elif save_clips is not None and result.hits:
        written = library.cut(result.hits, save_clips)
        out.note(f"wrote {plural(len(written), 'clip')} to {printable(save_clips)}")
    if contact_sheet is not None and result.hits:
        from scenewise.media.contact_sheet import write_contact_sheet

        write_contact_sheet(result.hits, contact_sheet, title=printable(result.query))
        out.note(f"wrote {printable(contact_sheet)}")
    if (save_clips or contact_sheet) and not result.hits:
        out.note("no hits, so no clips and no contact sheet were written")
