"""The values that are in force: flag before environment before file before default, each with where it came from."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from flower_cli import declarations, environment, errors, flower2, masking, toml_file, values
from flower_cli.declarations import Declaration, Declarations
from flower_cli.given import Given, Ignored, Reading
from flower_store.settings import SettingError

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that was given, parsed. Secret values are in `values` alone and never shown."""

    declared: Declarations
    given: Mapping[str, Given]
    values: Mapping[str, object]
    ignored: tuple[Ignored, ...] = ()

    def settings(self, room: type[Settings], **changes: object) -> Settings:
        """The settings of one room; raises Refused where they break a rule of the room.

        `changes` replace values, for what only the composition knows, such as the embedded database's URL.
        """
        own = declarations.of(room)
        chosen: dict[str, Any] = {name: self.values[name] for name in own if name in self.values}
        try:
            return room(**chosen | changes)
        except SettingError as error:
            raise self.refusal(error) from error

    def refusal(self, error: SettingError) -> errors.Refused:
        """The sentence for a broken rule: field, value, where it came from, rule."""
        given = self.given.get(error.name)
        source = given.source if given else "the default"
        if error.name not in self.declared:
            return errors.Refused(f"{error.name}: {error.rule}")
        rule = declarations.spoken(error.rule, self.declared, form=declarations.flag_and_variable)
        return _refusal(self.declared[error.name], error.value, source, rule)

    @property
    def mask(self) -> masking.Mask:
        """Hides the secrets that were given, and the passwords within them, wherever they turn up."""
        secret = [value for name, value in self.values.items() if self.declared[name].secret]
        return masking.Mask(word for value in secret for word in _secrets(value))

    def variables(self, *rooms: type, **changes: object) -> dict[str, str]:
        """The `FLOWER_*` variables that give a process of our own these rooms' values."""
        own = declarations.of(*rooms)
        chosen = {name: self.values[name] for name in own if name in self.values} | changes
        return {declarations.variable(name): values.text(value) for name, value in chosen.items()}


def gather(
    flags: Reading,
    environ: Mapping[str, str],
    *,
    file: str | None,
    known: Declarations,
    taken: Collection[str],
    common: Mapping[str, str] = environment.COMMON_NAMES,
) -> Configuration:
    """All sources in one. `known` are the settings of every command, because they share variables and file;
    `taken` those of this one: what the others are given, right or wrong, is not its business.

    Raises Refused for what is unknown or has the wrong form.
    """
    from_environment = environment.read(environ, known, common)
    path = file or environ.get(environment.CONFIG)
    from_file = toml_file.read(Path(path).expanduser(), known) if path else Reading({})
    everything = {**from_file.given, **from_environment.given, **flags.given}
    given = {name: one for name, one in everything.items() if name in taken}
    return Configuration(
        declared=known,
        given=given,
        values={name: _parsed(known[name], one) for name, one in given.items()},
        ignored=_first_of_each((*flags.ignored, *from_environment.ignored, *from_file.ignored)),
    )


def _secrets(value: object) -> Iterable[str]:
    """Of a list each word, and of `user:password` the password alone, too."""
    for word in value if isinstance(value, tuple) else ():
        yield from (str(word), str(word).partition(":")[2])
    if not isinstance(value, tuple):
        yield str(value)


def _parsed(declaration: Declaration, given: Given) -> object:
    try:
        if isinstance(given.value, str):
            flower2.check_unit(declaration.name, given.value)
            return values.parse(declaration.kind, given.value)
        return values.from_toml(declaration.kind, given.value)
    except ValueError as error:
        raise _refusal(declaration, given.value, given.source, str(error)) from error


def _refusal(declaration: Declaration, value: object, source: str, rule: str) -> errors.Refused:
    shown = "(secret)" if declaration.secret else f"`{values.text(value)}`"
    return errors.Refused(f"{declaration.name}: {shown} from {source}: {rule}")


def _first_of_each(ignored: Iterable[Ignored]) -> tuple[Ignored, ...]:
    return tuple({one.name: one for one in reversed(list(ignored))}.values())
