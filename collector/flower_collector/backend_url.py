"""Whether a result backend's URL could ever be used, found out before anything is started. Nothing is connected."""

from typing import Any, cast

from celery.app import backends
from celery.backends.base import Backend
from celery.exceptions import ImproperlyConfigured

from flower_collector import app, results, secrets
from flower_store.settings import SettingError

_PACKAGE = "needs a Python package that is not installed"
_UNKNOWN = "must begin with a result backend that Celery knows, such as redis:// or db+postgresql://"
_FORMS = "must be like redis://host:port/number or db+postgresql://user:password@host:port/database"


def check(cluster: app.App, url: str) -> None:
    """Raise SettingError for a URL that no attempt could use; its text is not repeated, it may hold a password.

    What else goes wrong may pass, and is told when the backend is asked.
    """
    if not url:
        return
    _known(cluster, url)
    try:
        made = results.backend(cluster, url)
        if hasattr(made, "session_manager"):
            _check_database(made)
    except SettingError:
        raise
    except ImportError as error:
        raise _broken(f"{_PACKAGE}: {error.name or error}") from error
    except ImproperlyConfigured as error:
        raise _broken(f"cannot be used: {secrets.masked(' '.join(str(error).split()))}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # whatever parsing gave
        raise _broken(_FORMS) from error
    except Exception:  # noqa: BLE001 - Unsupported, or an outage: the reconciler tells of both
        return


def _known(cluster: app.App, url: str) -> None:
    try:
        kind, _ = cast("Any", backends).by_url(url, loader=cast("Any", cluster).loader)
    except ImportError as error:
        if not error.name or error.name in url:
            raise _broken(_UNKNOWN) from error
        raise _broken(f"{_PACKAGE}: {error.name}") from error
    except Exception as error:  # whatever the lookup of a class by its name gave
        raise _broken(_UNKNOWN) from error
    if not isinstance(kind, type) or not issubclass(kind, Backend):
        raise _broken(_UNKNOWN)


def _check_database(made: results.Backend) -> None:
    """As SQLAlchemy reads its URL, with the driver that it names; an engine connects when it is first asked."""
    database = cast("Any", made)
    try:
        database.session_manager.get_engine(database.url)
    except ImportError:
        raise
    except Exception as error:  # SQLAlchemy's own, which is not always installed
        raise _broken("db+ must be followed by the URL of a database that SQLAlchemy knows") from error


def _broken(rule: str) -> SettingError:
    return SettingError("result_backend", "…", rule)
