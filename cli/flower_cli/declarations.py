"""What the rooms declare: each setting's name, type, default and sentence, read from their settings dataclasses.

From these alone come the options, the `FLOWER_*` variables, the TOML keys, `--help` and `docs/configuration.md`.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

KINDS = (bool, int, float, str, timedelta, tuple)
# One word a type for people: what follows the option in --help.
METAVARS = {
    int: "NUMBER",
    float: "NUMBER",
    str: "TEXT",
    timedelta: "DURATION",
    tuple: "LIST",
    bool: "true|false",
}
PREFIX = "FLOWER_"
FILE = "_file"
# A setting's name inside a sentence; names of Celery's own settings are no options of ours.
_NAME = re.compile(r"(?<!Celery's )\b[a-z]+(?:_[a-z]+)+\b")


@dataclass(frozen=True, slots=True)
class Declaration:
    """One setting."""

    name: str
    kind: type
    default: object
    help: str
    secret: bool
    metavar: str

    @property
    def flag(self) -> str:
        """Such as `--flush-after`."""
        return flag(self.name)

    @property
    def variable(self) -> str:
        """Such as `FLOWER_FLUSH_AFTER`."""
        return variable(self.name)


Declarations = Mapping[str, Declaration]


def flag(name: str) -> str:
    """The option of a setting."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def flag_and_variable(name: str) -> str:
    """Such as `--flush-after (FLOWER_FLUSH_AFTER)`."""
    return f"{flag(name)} ({variable(name)})"


def spoken(sentence: str, known: Collection[str], *, form: Callable[[str], str]) -> str:
    """A room's sentence, in which it knows settings by name alone, for whoever types options."""
    return _NAME.sub(lambda name: form(name[0]) if name[0] in known else name[0], sentence)


def of(*rooms: type) -> Declarations:
    """All settings of these dataclasses by name, in their order."""
    return {declaration.name: declaration for room in rooms for declaration in _of_room(room)}


def _of_room(room: type) -> list[Declaration]:
    hints = typing.get_type_hints(room)
    return [_declaration(field, hints[field.name], siblings=hints) for field in dataclasses.fields(room)]


def _declaration(field: dataclasses.Field[object], hint: object, *, siblings: Collection[str]) -> Declaration:
    kind = _kind(hint)
    return Declaration(
        name=field.name,
        kind=kind,
        default=field.default,
        help=spoken(field.metadata["help"], siblings, form=flag),
        secret=field.metadata["secret"],
        metavar=field.metadata["metavar"] or METAVARS[kind],
    )


def _kind(hint: object) -> type:
    """The type to parse for: `X` of `X | None`, `tuple` of `tuple[str, ...]`."""
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    origin = typing.get_origin(hint) or hint
    if isinstance(origin, type) and origin in KINDS:
        return origin
    raise TypeError(f"a setting cannot be of type {hint}")
