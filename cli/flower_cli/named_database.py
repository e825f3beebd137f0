"""The database that a process of its own needs, because only `flower up` brings one."""

from flower_cli import errors
from flower_cli.configuration import Configuration
from flower_store import database
from flower_store.settings import SettingError, StoreSettings


def settings(configuration: Configuration) -> StoreSettings:
    """The store's settings; raises Refused when no database is named or its URL is none."""
    found = configuration.settings(StoreSettings)
    if not found.database_url:
        raise errors.Refused("no database is named: give --database-url or FLOWER_DATABASE_URL")
    check(configuration)
    return found


def check(configuration: Configuration) -> None:
    """Raise Refused for a URL that is none; no database at all is fine here."""
    url = configuration.settings(StoreSettings).database_url
    try:
        if url:
            database.check(url)
    except SettingError as error:
        raise configuration.refusal(error) from error
