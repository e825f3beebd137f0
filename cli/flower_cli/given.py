"""A value as someone gave it, before it is parsed, and where, so that an error can say so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flower_cli import errors


@dataclass(frozen=True, slots=True)
class Given:
    """One value of one setting. `value` is a text, or what TOML holds."""

    source: str
    value: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something that was given and has no effect, for a warning."""

    source: str
    reason: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one source gave: flags, environment or file."""

    given: Mapping[str, Given]
    ignored: tuple[Ignored, ...] = ()


def from_file(source: str, path: str) -> Given:
    """The secret that a file holds; the newline that editors end a file with is not part of it."""
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise errors.Refused(f"{source}: {path}: cannot be read: {reason}") from error
    return Given(source, text.rstrip("\r\n"))


def once(collected: dict[str, Given], name: str, given: Given) -> None:
    """Add a value, unless the same source gave the setting under another name."""
    if name in collected:
        raise errors.Refused(f"{name}: given twice, by {collected[name].source} and {given.source}")
    collected[name] = given
