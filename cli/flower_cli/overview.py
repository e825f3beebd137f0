"""`flower config`: the value of each setting and where it comes from, for whoever wonders which one won."""

import click

from flower_cli import values
from flower_cli.configuration import Configuration
from flower_cli.declarations import Declaration


def run(configuration: Configuration) -> None:
    """Print one line a setting, and one for each that is ignored."""
    for name, declaration in configuration.declared.items():
        given = configuration.given.get(name)
        source = given.source if given else "default"
        click.echo(f"{name} = {_shown(configuration, declaration)}  # {source}")
    for ignored in configuration.ignored:
        click.echo(f"# {ignored.source} is ignored: {ignored.reason}")


def _shown(configuration: Configuration, declaration: Declaration) -> str:
    value = configuration.values.get(declaration.name, declaration.default)
    if declaration.secret and value:
        return "(secret)"
    return values.text(value) or "none"
