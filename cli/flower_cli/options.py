"""Commands whose options are the settings of rooms; `-` and `_` are the same in their names, as in Flower.

Values stay text here: flags, variables and file are parsed at one place, `configuration.py`.
"""

import os
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from flower_cli import configuration, declarations, environment, errors, flower2, given, rooms, suggestions, values
from flower_cli.configuration import Configuration
from flower_cli.declarations import FILE, Declaration
from flower_cli.given import Given, Ignored, Reading

SHORT: Mapping[str, str] = {"app": "-A", "broker": "-b"}
NO = "no_"
EPILOG = (
    "Each option is also a variable of the environment, as shown, and a key of the --config file, such as "
    "flush_after. An option goes before the variable, the variable before the file. A secret may be read from a file: "
    "--database-url-file, FLOWER_DATABASE_URL_FILE. Durations are written 250ms, 5s, 10m, 2h or 1d."
)


class SettingsCommand(click.Command):
    """A command that takes the settings of some rooms and gives the configuration to its runner."""

    def __init__(
        self,
        name: str,
        *,
        takes: Sequence[type],
        runner: str,
        help: str,  # noqa: A002 - click's word
        without: Iterable[str] = (),
        common: Mapping[str, str] = environment.COMMON_NAMES,
        extra: Sequence[click.Parameter] = (),
    ) -> None:
        """`runner` is `module:function`, imported when the command runs: the stack costs over a second.

        `without` names settings that make no sense here; `common` see `environment.read`.
        """
        self.takes = takes
        self._sections = _sections(takes, frozenset(without))
        self._config = click.Option(
            ["--config"],
            metavar="FILE",
            help=f"TOML file with settings. [{environment.CONFIG}; default: none]",
        )
        shown = [option for options in self._sections.values() for option in options]
        self._common = common
        self._runner = runner
        super().__init__(
            name,
            params=[self._config, *shown, *extra],
            help=help,
            epilog=EPILOG,
            context_settings={
                "token_normalize_func": _with_hyphens,
                "help_option_names": ["-h", "--help"],
                "max_content_width": 110,
            },
        )
        self.params += _of_flower2()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; raise Refused with the nearest option for an unknown one."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            visible = [word for option in self.params if not _hidden(option) for word in option.opts]
            guess = suggestions.did_you_mean(error.option_name, visible)
            raise errors.Refused(f"unknown option `{error.option_name}`{guess}") from error
        except click.UsageError as error:
            raise errors.Refused(error.format_message().rstrip(".")) from error

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Gather all sources and call the runner."""
        known = rooms.known()
        gathered = configuration.gather(
            _reading(ctx.params, known),
            os.environ,
            file=ctx.params["config"],
            known=known,
            taken=declarations.of(*self.takes),
            common=self._common,
        )
        run: Callable[[Configuration], None] = pkgutil.resolve_name(self._runner)
        run(gathered)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section a room."""
        shown = {id(option) for options in self._sections.values() for option in options}
        others: list[click.Parameter] = [option for option in self.get_params(ctx) if id(option) not in shown]
        for title, options in {**self._sections, "General": others}.items():
            records = [record for option in options if (record := option.get_help_record(ctx))]
            with formatter.section(title):
                formatter.write_dl(records)


def _with_hyphens(name: str) -> str:
    return name.replace("_", "-")


def _hidden(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and parameter.hidden


def _sections(takes: Sequence[type], without: frozenset[str]) -> dict[str, Sequence[click.Parameter]]:
    """The options of each room by its title; a name that two rooms share is one option, and gives both its value."""
    sections: dict[str, Sequence[click.Parameter]] = {}
    seen = set(without)
    for room in takes:
        own = [one for one in declarations.of(room).values() if one.name not in seen]
        sections[rooms.TITLES[room]] = [option for one in own for option in _of_setting(one)]
        seen.update(one.name for one in own)
    return sections


def _of_setting(declaration: Declaration) -> list[click.Option]:
    own = _Option(
        [*([SHORT[declaration.name]] if declaration.name in SHORT else []), declaration.flag, declaration.name],
        metavar=declaration.metavar,
        help=f"{declaration.help} [{declaration.variable}; default: {_default(declaration)}]",
        multiple=declaration.kind is tuple,
        **_optional_value(declaration),
    )
    if declaration.secret:
        return [own, _Option([declaration.flag + "-file", declaration.name + FILE], hidden=True)]
    if declaration.kind is bool:
        return [own, _Option([declarations.flag(NO + declaration.name)], is_flag=True, default=None, hidden=True)]
    return [own]


def _optional_value(declaration: Declaration) -> dict[str, Any]:
    """`--enable-events` alone is true, and Flower's `--enable_events=False` works."""
    return {"is_flag": False, "flag_value": "true"} if declaration.kind is bool else {}


def _default(declaration: Declaration) -> str:
    return values.text(declaration.default) or "none"


class _Option(click.Option):
    """An option whose variable is read elsewhere: celery would make click read CELERY_FLOWER_… too."""

    def __init__(self, names: Sequence[str], **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(names, allow_from_autoenv=False, **attributes)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None or self.flag_value != "true":
            return record
        flag = self.opts[-1]
        return f"{flag} / --no-{flag.removeprefix('--')}", record[1]


def _of_flower2() -> list[click.Option]:
    """Hidden options that warn, so that a command line of Flower's still starts."""
    return [
        _Option([declarations.flag(name), name], hidden=True, is_flag=False, flag_value="true")
        for name in flower2.missing(rooms.known())
    ]


def _reading(parameters: Mapping[str, Any], known: Mapping[str, Declaration]) -> Reading:
    """What the command line gave, from click's parameters."""
    collected: dict[str, Given] = {}
    ignored: list[Ignored] = []
    for name, parameter in parameters.items():
        source = declarations.flag(name)
        if parameter is None or parameter == () or name == "config":
            continue
        # A list may be given in parts, and every part counts.
        value = ",".join(parameter) if isinstance(parameter, tuple) else parameter
        if name in known:
            given.once(collected, name, Given(source, value))
        elif name.removesuffix(FILE) in known:
            given.once(collected, name.removesuffix(FILE), given.from_file(source, value))
        elif name.startswith(NO) and name.removeprefix(NO) in known:
            given.once(collected, name.removeprefix(NO), Given(source, "false"))
        elif name in flower2.REMARKS:
            ignored.append(Ignored(source, flower2.REMARKS[name], name))
    return Reading(collected, tuple(ignored))
