"""The settings of the composition itself: logs, the one-machine tree, the demo."""

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from flower_store.settings import SettingError, setting

FORMATS = ("auto", "console", "json")
LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How every process logs, to standard error."""

    log_format: str = setting(
        "auto",
        metavar="|".join(FORMATS),
        help="Form of the log; auto is readable on a terminal and JSON elsewhere.",
    )
    log_level: str = setting("info", metavar="|".join(LEVELS), help="The least severe entries that are logged.")

    def __post_init__(self) -> None:
        """Check each value; raises SettingError."""
        for name, allowed in (("log_format", FORMATS), ("log_level", LEVELS)):
            if getattr(self, name) not in allowed:
                raise SettingError(name, getattr(self, name), f"must be one of {', '.join(allowed)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSettings:
    """Where the one-machine tree keeps what it starts."""

    data_dir: str | None = setting(
        None,
        metavar="DIRECTORY",
        help="Where the embedded PostgreSQL keeps its data; by default a directory of the user's.",
    )
    postgres_bin: str | None = setting(
        None,
        metavar="DIRECTORY",
        help="Directory of the postgres and initdb programs to use for the embedded PostgreSQL.",
    )

    def __post_init__(self) -> None:
        """Check each value; raises SettingError."""
        for name in ("data_dir", "postgres_bin"):
            try:
                Path(getattr(self, name) or "").expanduser()
            except RuntimeError as error:
                raise SettingError(name, getattr(self, name), "begins with a user who has no home here") from error

    def directory(self, name: str) -> Path:
        """The data directory; `name` tells the default ones of several commands apart."""
        if self.data_dir:
            return Path(self.data_dir).expanduser().absolute()
        return Path(platformdirs.user_data_dir("flower", appauthor=False)) / name

    @property
    def programs(self) -> Path | None:
        """The directory of PostgreSQL's programs, if one was named."""
        return Path(self.postgres_bin).expanduser() if self.postgres_bin else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """How busy the demo is."""

    rate: float = setting(20.0, help="Tasks that the demo starts in a second, about.")

    def __post_init__(self) -> None:
        """Check each value; raises SettingError."""
        if not 0 < self.rate <= 1000:  # noqa: PLR2004 - stated in the rule
            raise SettingError("rate", self.rate, "must be more than 0 and at most 1000")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSettings:
    """Whether a command only says what it would do."""

    dry_run: bool = setting(False, help="Only say what would be done.")
