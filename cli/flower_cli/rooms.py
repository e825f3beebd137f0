"""Which settings exist, and which of them each command takes."""

from flower_api.settings import ApiSettings
from flower_cli import declarations
from flower_cli.declarations import Declarations
from flower_cli.settings import DemoSettings, LogSettings, MachineSettings, TrialSettings
from flower_collector.settings import CollectorSettings
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import StoreSettings

TITLES: dict[type, str] = {
    ApiSettings: "API and dashboard",
    CollectorSettings: "Collector",
    StoreSettings: "Database",
    RetentionSettings: "Retention",
    TrialSettings: "Trial",
    MachineSettings: "Embedded servers",
    DemoSettings: "Demo",
    LogSettings: "Logs",
}
"""Every settings dataclass, in the order of `--help` and of docs/configuration.md."""


def known() -> Declarations:
    """The settings of all commands: they share one environment and one file."""
    return declarations.of(*TITLES)
