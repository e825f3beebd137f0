"""Settings as they may be shown: each with its value and where that came from, and no secret."""

from flower_api.v1.configured import Configured, Ignored, Setting
from flower_cli import declarations, rooms, values
from flower_cli.configuration import Configuration
from flower_cli.declarations import Declaration


def of(configuration: Configuration, *of_rooms: type) -> Configured:
    """The settings of these rooms in their order; one that two rooms share stands with the first."""
    found: dict[str, Setting] = {}
    for room in of_rooms:
        for name, declaration in declarations.of(room).items():
            found.setdefault(name, _setting(configuration, declaration, rooms.TITLES[room]))
    ignored = [Ignored(source=one.source, reason=one.reason) for one in configuration.ignored]
    return Configured(tuple(found.values()), tuple(ignored))


def _setting(configuration: Configuration, declaration: Declaration, section: str) -> Setting:
    given = configuration.given.get(declaration.name)
    value = configuration.values.get(declaration.name, declaration.default)
    text = values.text(value)
    return Setting(
        name=declaration.name,
        section=section,
        value=None if declaration.secret or not text else configuration.mask(text),
        default=None if declaration.secret else values.text(declaration.default) or None,
        source=given.source if given else "default",
        secret=declaration.secret,
        is_set=bool(text),
        meaning=declaration.help,
    )
