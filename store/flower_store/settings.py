"""How a setting is declared, once; and the store's own settings.

A room's settings are a frozen dataclass whose fields are made by `setting()`. From that one declaration `cli/` makes
the flag, the `FLOWER_*` variable, the TOML key and the help text; it alone reads the environment.
"""

from dataclasses import MISSING, dataclass, field
from datetime import timedelta
from typing import Any


class SettingError(ValueError):
    """A setting breaks a rule. `name` is the setting, `rule` a sentence without its name or value."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        self.name = name
        self.value = value
        self.rule = rule
        super().__init__(f"{name}: {value!r}: {rule}")


def setting(default: object = MISSING, *, help: str, secret: bool = False, metavar: str | None = None) -> Any:  # noqa: A002, ANN401 - the word of every option library; dataclasses.field() is Any too
    """Declare one setting of a settings dataclass.

    - `help` is one sentence, shown by `--help` and in `docs/configuration.md`.
    - `secret` values may come from a file (`FLOWER_…_FILE`) and are never shown.
    """
    metadata = {"help": help, "secret": secret, "metavar": metavar}  # repr=False: a secret stays out of logs
    if default is MISSING:
        return field(metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where the database is and how long a statement may take."""

    database_url: str = setting(
        "",
        secret=True,
        metavar="URL",
        help="PostgreSQL to store in: postgresql://user:password@host:port/name; host1,host2 for one with standbys.",
    )
    database_listen_url: str = setting(
        "",
        secret=True,
        metavar="URL",
        help="PostgreSQL for LISTEN, where database_url leads to a pool in transaction mode; by default the same.",
    )
    database_pool_size: int = setting(
        5, help="Connections that one API process keeps to the database; up to twice as many under load."
    )
    database_read_timeout: timedelta = setting(
        timedelta(seconds=5), help="A read that takes longer is given up and answered as a time-out."
    )
    database_write_timeout: timedelta = setting(
        timedelta(seconds=30), help="A write that takes longer is given up and tried again."
    )

    def __post_init__(self) -> None:
        """Check each value; raises SettingError."""
        for name in ("database_url", "database_listen_url"):
            scheme, separator, _ = getattr(self, name).partition("://")
            if getattr(self, name) and scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
                raise SettingError(name, f"{scheme}://…" if separator else "…", "must begin with postgresql://")
        if not 1 <= self.database_pool_size <= 1000:  # noqa: PLR2004 - stated in the rule
            raise SettingError("database_pool_size", self.database_pool_size, "must be from 1 to 1000")
        for name in ("database_read_timeout", "database_write_timeout"):
            if getattr(self, name) <= timedelta(0):
                raise SettingError(name, getattr(self, name), "must be longer than nothing")
