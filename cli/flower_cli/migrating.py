"""`flower migrate`: bring the database to the schema of this build."""

import structlog

import flower_migrations
from flower_cli import errors, logs, named_database
from flower_cli.configuration import Configuration
from flower_store import errors as store_errors
from flower_store import schema
from flower_store.settings import SettingError


def run(configuration: Configuration) -> None:
    """Migrate; raises Refused without a database, Failed when it cannot be done."""
    logs.start(configuration)
    url = named_database.settings(configuration).database_url
    upgrade(configuration, url)
    log: structlog.stdlib.BoundLogger = structlog.get_logger("flower")
    log.info("database is at this build's schema", revision=schema.REVISION)


def upgrade(configuration: Configuration, url: str) -> None:
    """Bring one database to the newest schema; raises Refused for its URL, Failed for what comes later."""
    try:
        flower_migrations.upgrade(url)
    except SettingError as error:
        raise configuration.refusal(error) from error
    except store_errors.StoreError as error:
        raise errors.Failed(configuration.mask(f"the database cannot be migrated: {error}")) from error
