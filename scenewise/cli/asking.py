"""Asks before something is lost; where nobody can answer, ``--yes`` must be there.

It knows the terminal; what would be lost, the commands say.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from scenewise.cli.output import Output, printable, warn
from scenewise.errors import UsageError

_SHOWN = 10


def confirm(
    out: Output, yes: bool, what: str, question: str, *, verb: str, those: Sequence[str] = ()
) -> None:
    """Return where the user agrees, or agreed before with ``--yes``; else end with exit code 1.

    ``what`` would be lost, by the participle ``verb``; ``those`` are listed before the question.
    Raises UsageError where no terminal is there to ask on.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{what} would be {verb} and nobody can be asked; add --yes.")
    for one in those[:_SHOWN]:
        warn(f"  {printable(one)}")
    if len(those) > _SHOWN:
        warn(f"  … and {len(those) - _SHOWN} more")
    if not typer.confirm(question, err=True):
        out.note(f"nothing was {verb}")
        raise typer.Exit(1)
