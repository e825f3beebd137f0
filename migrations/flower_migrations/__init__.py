"""The database's schema, revision by revision, and the way to bring a database to the newest one."""

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError

from flower_store import database, errors


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to a revision. Safe when several processes do it at once: one works, the others wait.

    Raises the store's Unavailable when the database cannot be reached, WrongSchema when another build has made it,
    SettingError when the URL cannot be understood.
    """
    database.check(database_url)
    with database.connect(database_url) as connection, errors.translated():
        try:
            command.upgrade(config(connection), revision)
        except CommandError as error:
            raise errors.WrongSchema(f"{error}: the database was made by another build; use that one") from error


def config(connection: object) -> Config:
    """Alembic's configuration, on a connection that is open."""
    settings = Config()
    # "package:" resolves in a checkout and in a wheel alike.
    settings.set_main_option("script_location", "flower_migrations:")
    settings.attributes["connection"] = connection
    return settings
