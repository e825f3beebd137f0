"""What ends a command, as one sentence on standard error and an exit status; never a traceback.

click.ClickException
├── Refused   exit 2: what was asked for breaks a rule; a person must change it
└── Failed    exit 1: it was started and could not go on
"""

from typing import IO, Any

import click


class Refused(click.ClickException):
    """The command will not start like this."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence alone: click's own form would add two lines of usage."""
        click.echo(f"flower: {self.message}", file=file, err=True)


class Failed(Refused):
    """The command had started and could not go on."""

    exit_code = 1
