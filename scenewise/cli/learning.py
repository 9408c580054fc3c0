"""``scenewise train``: a network learns from videos, as a config says.

It reads options and prints; ``scenewise.training`` learns, and is loaded when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenewise.cli.options import JsonOption, QuietOption, VerboseOption
from scenewise.cli.output import Output, printable


def train(
    config: Annotated[
        Path,
        typer.Argument(metavar="CONFIG", help="A TOML or YAML file.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where the run's files go."),
    ] = Path("run"),
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a network on videos, as a config says."""
    from scenewise.training.config import read_config
    from scenewise.training.run import train as run

    output = Output.start(json=json, quiet=quiet, verbose=verbose)
    report = run(read_config(config), out)
    if json:
        output.document(report.to_dict())
    else:
        output.result(f"{report.steps} steps, loss {report.loss:.4f}: {printable(out)}")
