"""``python -m scenewise`` is the command line."""

from scenewise.cli.main import run

run()
