"""`flower collector`, `flower-collector`: collect one cluster's events until a signal comes."""

import gc
from dataclasses import replace
from pathlib import Path

import platformdirs

from flower_cli import cluster, errors, logs, named_database
from flower_cli.configuration import Configuration
from flower_cli.stopping import Stop
from flower_collector import allocation
from flower_collector.service import Collector
from flower_collector.settings import CollectorSettings
from flower_store import errors as store_errors
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import SettingError

# A failure is noticed so soon; a signal at once.
LOOK_SECONDS = 1.0

NEW_CONTAINERS = 50_000
"""Python looks for cycles each time that so many containers were made, which is about once a batch. It looks after 700
unless told, and then a third of the time of a batch went into it. Events are in no cycle."""


def run(configuration: Configuration) -> None:
    """Collect; raises Refused for a setting or a schema that cannot be worked with, Failed for what comes later."""
    allocation.settle()
    logs.start(configuration)
    store = named_database.settings(configuration)
    cluster.check(configuration)
    try:
        retention = configuration.settings(RetentionSettings)
        _collect(Collector(_settings(configuration), store, retention=retention))
    except SettingError as error:
        raise configuration.refusal(error) from error
    except store_errors.WrongSchema as error:
        raise errors.Refused(str(error)) from error
    except store_errors.StoreError as error:
        raise errors.Failed(configuration.mask(f"the collector cannot go on: {error}")) from error


def _settings(configuration: Configuration) -> CollectorSettings:
    """With the spool where a user keeps state, unless it was said where."""
    settings = configuration.settings(CollectorSettings)
    default = Path(platformdirs.user_state_dir("flower", appauthor=False)) / "spool"
    return replace(settings, spool_dir=settings.spool_dir or str(default))


def _collect(collector: Collector) -> None:
    with Stop() as stop:
        try:
            collector.start()
            _look_for_cycles_seldom()
            while not stop.asked and collector.failed is None:
                stop.rest(LOOK_SECONDS)
        finally:
            collector.stop()
    if collector.failed is not None:
        raise collector.failed


def _look_for_cycles_seldom() -> None:
    """What is there now, most of it modules, stays: nobody need look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_CONTAINERS, 20, 20)
