"""``scenewise events``: what receivers do not have yet, and what was put aside, sent after all.

It reads options and prints; it knows nothing of how events wait.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenewise.cli.options import JsonOption, QuietOption, VerboseOption
from scenewise.cli.output import Output, plural, printable
from scenewise.config import default_spool_dir

if TYPE_CHECKING:
    from scenewise.tasks.watch.held import Held

BUSY = 3


def events(
    spool: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where events wait, as with 'scenewise watch'. Default: in the user's data.",
            show_default=False,
        ),
    ] = None,
    resend: Annotated[
        bool, typer.Option("--resend", help="Let what was put aside wait again, to be sent.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show events that receivers do not have yet.

    Of each webhook and broker of a watch: how many events wait, and which were put aside. With
    --resend, what was put aside is sent after all, by the next watch with the same receiver.
    """
    from scenewise.tasks.watch.held import read_held

    out = Output.start(json=json, quiet=quiet, verbose=verbose)
    folder = spool or default_spool_dir()
    found = read_held(folder, resend=resend)
    if out.json:
        out.document({"spool": str(folder), "receivers": [held.to_dict() for held in found]})
    for held in [] if out.json else found:
        _print(out, held)
    if not found:
        out.note(f"{printable(folder)}: no event has ever waited here.")
    if any(held.resent for held in found):
        out.note("they are sent by the next 'scenewise watch' with the same receiver and --spool.")
    if resend and any(held.busy for held in found):
        raise typer.Exit(BUSY)


def _print(out: Output, held: Held) -> None:
    if held.busy:
        out.note(f"{held.file}: a watch that runs delivers these events; end it and ask again.")
        return
    parts = [f"{plural(held.waiting, 'event')} waiting", f"{len(held.aside)} put aside"]
    if held.resent:
        parts.append(f"{held.resent} to be sent after all")
    out.result(f"{printable(held.receiver or held.file)}: {', '.join(parts)}")
    for event in held.aside:
        told = (event.wall, event.source, event.rule, event.id, event.reason)
        out.result("  " + "  ".join(printable(part) for part in told))
