"""`flower migrate`: bring the database to the schema of this build."""

import structlog

import flower_migrations
from flower_cli import errors, logs
from flower_cli.configuration import Configuration
from flower_store import database
from flower_store import errors as store_errors
from flower_store.settings import SettingError, StoreSettings


def run(configuration: Configuration) -> None:
    """Migrate; raises Refused without a database, Failed when it cannot be done."""
    logs.start(configuration)
    url = needed_url(configuration)
    upgrade(configuration, url)
    log: structlog.stdlib.BoundLogger = structlog.get_logger("flower")
    log.info("database migrated", database=database.shown(url))


def needed_url(configuration: Configuration) -> str:
    """The database's URL; raises Refused when there is none or it is not a URL."""
    url = configuration.settings(StoreSettings).database_url
    if not url:
        raise errors.Refused("no database is named: give --database-url or FLOWER_DATABASE_URL")
    try:
        database.parsed(url)
    except SettingError as error:
        raise configuration.refusal(error) from error
    return url


def upgrade(configuration: Configuration, url: str) -> None:
    """Bring one database to the newest schema; raises Failed."""
    try:
        flower_migrations.upgrade(url)
    except store_errors.StoreError as error:
        raise errors.Failed(configuration.mask(f"the database cannot be migrated: {error}")) from error
