"""`flower api`, `flower-api`: serve the API and the dashboard until a signal comes."""

import structlog

from flower_api import server
from flower_api.settings import ApiSettings
from flower_cli import errors, logs, named_database, shown
from flower_cli.configuration import Configuration
from flower_cli.settings import LogSettings
from flower_store import errors as store_errors
from flower_store.settings import SettingError, StoreSettings
from flower_web import app
from flower_web.assets import AssetsMissing

_log = structlog.get_logger(__name__)


def run(configuration: Configuration) -> None:
    """Serve; raises Refused for a port that is taken and for a database of another schema."""
    logs.start(configuration)
    settings = configuration.settings(ApiSettings)
    if settings.unauthenticated_api and not settings.access_configured:
        _log.warning("everybody who reaches the port is answered: no access is configured", address=settings.address)
    store = named_database.settings(configuration)
    configured = shown.of(configuration, ApiSettings, StoreSettings, LogSettings)
    try:
        server.serve(app.create_app(settings, store, configured=configured), settings)
    except SettingError as error:
        raise configuration.refusal(error) from error
    except (store_errors.WrongSchema, AssetsMissing) as error:
        raise errors.Refused(str(error)) from error
