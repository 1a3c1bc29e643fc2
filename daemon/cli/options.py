"""Options that several commands share, so that they are spelled and explained the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
LimitOption = Annotated[int, typer.Option("--limit", metavar="NUMBER", min=1, max=10_000, help="At most this many.")]
AllOption = Annotated[bool, typer.Option("--all", help="All of them, whatever the limit.")]
PassphraseFileOption = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="Read the passphrase from this file, or from stdin for -."),
]
ValueFileOption = Annotated[
    Path | None,
    typer.Option("--value-file", metavar="FILE", help="Read the value from this file, or from stdin for -."),
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", metavar="REASON", help="Kept with the decision in the audit log.")
]
