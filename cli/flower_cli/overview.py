"""`flower config`: the value of each setting and where it comes from, for whoever wonders which one won.

It ends as the commands would begin: with a refusal where one of them would refuse these values.
"""

import click

from flower_cli import broker, exposure, named_database, rooms, values
from flower_cli.configuration import Configuration
from flower_cli.declarations import Declaration


def run(configuration: Configuration) -> None:
    """Print one line a setting, and one for each that is ignored; then raise Refused for what breaks a rule."""
    for name, declaration in configuration.declared.items():
        given = configuration.given.get(name)
        source = given.source if given else "default"
        click.echo(f"{name} = {_shown(configuration, declaration)}  # {source}")
    for ignored in configuration.ignored:
        click.echo(f"# {ignored.source} is ignored: {ignored.reason}")
    _check(configuration)


def _check(configuration: Configuration) -> None:
    for room in rooms.TITLES:
        configuration.settings(room)
    exposure.check(configuration)
    named_database.check(configuration)
    broker.check(configuration)


def _shown(configuration: Configuration, declaration: Declaration) -> str:
    value = configuration.values.get(declaration.name, declaration.default)
    if declaration.secret and value:
        return "(secret)"
    return values.text(value) or "none"
