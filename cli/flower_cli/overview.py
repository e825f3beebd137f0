"""`flower config`: the value of each setting and where it comes from, for whoever wonders which one won.

It ends as the commands would begin: with a refusal where one of them would refuse these values.
"""

import click

from flower_cli import broker, named_database, rooms, shown
from flower_cli.configuration import Configuration


def run(configuration: Configuration) -> None:
    """Print one line a setting, and one for each that is ignored; then raise Refused for what breaks a rule."""
    known = shown.of(configuration, *rooms.TITLES)
    for one in known.settings:
        value = "(secret)" if one.secret and one.is_set else one.value or "none"
        click.echo(f"{one.name} = {value}  # {one.source}")
    for ignored in known.ignored:
        click.echo(f"# {ignored.source} is ignored: {ignored.reason}")
    _check(configuration)


def _check(configuration: Configuration) -> None:
    for room in rooms.TITLES:
        configuration.settings(room)
    named_database.check(configuration)
    broker.check(configuration)
