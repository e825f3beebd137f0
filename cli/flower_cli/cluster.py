"""The Celery cluster that a collector needs. Celery's own default, a broker on this machine, would seem to work."""

from flower_cli import broker, errors
from flower_cli.configuration import Configuration
from flower_collector.settings import CollectorSettings


def check(configuration: Configuration) -> None:
    """Raise Refused when neither a broker nor an app is named, or the broker is none that can be."""
    settings = configuration.settings(CollectorSettings)
    if not (settings.broker or settings.app):
        raise errors.Refused(
            "no Celery cluster is named: give --broker (FLOWER_BROKER, CELERY_BROKER_URL) or --app, whose "
            "configuration names its broker"
        )
    broker.check(configuration)
