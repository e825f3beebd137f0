"""The console's entry points: `flower` with its commands, `flower-collector` and `flower-api`.

A command is made when it is asked for and knows only the settings' declarations; its runner imports the rest.
"""

from collections.abc import Callable, Mapping
from importlib import metadata
from types import MappingProxyType

import click

from flower_api.access import passwords
from flower_api.settings import ApiSettings
from flower_cli import documentation, environment, errors, rooms, suggestions
from flower_cli.options import SettingsCommand
from flower_cli.settings import DemoSettings, LogSettings, MachineSettings, TrialSettings
from flower_collector.settings import CollectorSettings
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import StoreSettings

# `PORT=8080 ./run demo`: what people and platforms set for a program that listens.
UP_NAMES = MappingProxyType({**environment.COMMON_NAMES, "port": "PORT"})
DEMO_NAMES = MappingProxyType({"port": "PORT", "rate": "RATE"})


def flower() -> None:
    """`flower`."""
    group = Flower("flower", help="See what Celery does: history in PostgreSQL, live in the browser.")
    click.version_option(package_name="flower", message="%(prog)s %(version)s")(group).main(prog_name="flower")


def collector() -> None:
    """`flower-collector`."""
    collector_command().main(prog_name="flower-collector")


def api() -> None:
    """`flower-api`."""
    api_command().main(prog_name="flower-api")


class Flower(click.Group):
    """The commands by name; an unknown one is refused with the nearest."""

    def __init__(self, name: str, *, help: str | None = None) -> None:  # noqa: A002 - click's name
        super().__init__(name, help=help, context_settings={"help_option_names": ["-h", "--help"]})

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Make the command."""
        made = COMMANDS.get(cmd_name)
        return made() if made else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; raises Refused."""
        if args and args[0] not in COMMANDS:
            guess = suggestions.did_you_mean(args[0], COMMANDS)
            raise errors.Refused(f"unknown command `{args[0]}`{guess or ', see flower --help'}")
        return super().resolve_command(ctx, args)


def up() -> SettingsCommand:
    """`flower up`, and `celery flower`."""
    return SettingsCommand(
        "up",
        takes=(ApiSettings, CollectorSettings, StoreSettings, RetentionSettings, MachineSettings, LogSettings),
        runner="flower_cli.up:run",
        common=UP_NAMES,
        help="Run all on this machine for one Celery cluster: database, collector, API and dashboard.",
    )


def demo() -> SettingsCommand:
    """`flower demo`."""
    return SettingsCommand(
        "demo",
        takes=(ApiSettings, RetentionSettings, MachineSettings, DemoSettings, LogSettings),
        runner="flower_cli.demonstration:run",
        common=DEMO_NAMES,
        help="Show it all: a private broker, real Celery workers at work, the collector, the dashboard.",
    )


def migrate() -> SettingsCommand:
    """`flower migrate`."""
    return SettingsCommand(
        "migrate",
        takes=(StoreSettings, LogSettings),
        runner="flower_cli.migrating:run",
        help="Bring the database to the schema that this build needs. Safe to run several times at once.",
    )


def collector_command() -> SettingsCommand:
    """`flower collector` and `flower-collector`."""
    return SettingsCommand(
        "collector",
        takes=(CollectorSettings, StoreSettings, RetentionSettings, LogSettings),
        runner="flower_cli.collecting:run",
        help="Collect one Celery cluster's events into the database.",
    )


def api_command() -> SettingsCommand:
    """`flower api` and `flower-api`."""
    return SettingsCommand(
        "api",
        takes=(ApiSettings, StoreSettings, LogSettings),
        runner="flower_cli.serving:run",
        help="Serve the API and the dashboard from the database.",
    )


def retention() -> SettingsCommand:
    """`flower retention`."""
    return SettingsCommand(
        "retention",
        takes=(RetentionSettings, TrialSettings, StoreSettings, LogSettings),
        runner="flower_cli.retaining:run",
        help="Delete what is older than it may be, as collectors do by themselves; --dry-run says what that is.",
    )


def config() -> SettingsCommand:
    """`flower config`."""
    return SettingsCommand(
        "config",
        takes=tuple(rooms.TITLES),
        runner="flower_cli.overview:run",
        common=UP_NAMES,
        help="Show each setting's value and where it comes from; secrets are not shown.",
    )


def reference() -> click.Command:
    """`flower reference`."""
    return click.Command(
        "reference",
        callback=lambda: click.echo(documentation.markdown(), nl=False),
        help="Print the documentation of every setting, in Markdown.",
    )


def hash_password() -> click.Command:
    """`flower hash-password`."""
    return click.Command(
        "hash-password",
        callback=_print_hash,
        params=[click.Option(["--password"], prompt=True, hide_input=True, confirmation_prompt=True, hidden=True)],
        help="Ask for a password and print its hash, which --basic-auth takes in its place: user:scrypt:…",
    )


def _print_hash(password: str) -> None:
    click.echo(passwords.hashed(password))


def version() -> click.Command:
    """`flower version`."""
    return click.Command(
        "version",
        callback=lambda: click.echo(f"flower {metadata.version('flower')}"),
        help="Print the version.",
    )


COMMANDS: Mapping[str, Callable[[], click.Command]] = MappingProxyType(
    {
        "up": up,
        "demo": demo,
        "migrate": migrate,
        "collector": collector_command,
        "api": api_command,
        "retention": retention,
        "config": config,
        "reference": reference,
        "hash-password": hash_password,
        "version": version,
    }
)

if __name__ == "__main__":
    flower()
