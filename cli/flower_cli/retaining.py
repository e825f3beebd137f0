"""`flower retention`: delete what is too old, once, or say what that would be."""

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import click

from flower_cli import errors, logs, named_database
from flower_cli.configuration import Configuration
from flower_cli.settings import TrialSettings
from flower_store import errors as store_errors
from flower_store import retention
from flower_store.lifetimes import RetentionSettings
from flower_store.maintenance import Maintenance
from flower_store.retention import Gone
from flower_store.settings import SettingError


def run(configuration: Configuration) -> None:
    """Do it and print a table; raises Refused without a database or for another schema, Failed for what comes later."""
    logs.start(configuration)
    settings = configuration.settings(RetentionSettings)
    store = Maintenance(named_database.settings(configuration))
    try:
        if configuration.settings(TrialSettings).dry_run:
            _print(retention.preview(store, settings, datetime.now(UTC)), "would go")
        else:
            _print(_summed(retention.steps(store, settings, datetime.now(UTC), threading.Event())), "gone")
    except SettingError as error:
        raise configuration.refusal(error) from error
    except store_errors.WrongSchema as error:
        raise errors.Refused(str(error)) from error
    except store_errors.StoreError as error:
        raise errors.Failed(configuration.mask(f"retention cannot go on: {error}")) from error
    finally:
        store.close()


def _summed(steps: Iterable[Gone]) -> list[Gone]:
    """One line a table; a partition that others used is told as it is."""
    rows: dict[tuple[str, str, bool], int | None] = {}
    size: Counter[tuple[str, str, bool]] = Counter()
    for gone in steps:
        key = gone.kind, gone.subject, gone.done
        known = rows.get(key, 0)
        rows[key] = None if gone.rows is None or known is None else known + gone.rows
        size[key] += gone.bytes or 0
    return [Gone(*key[:2], rows[key], size[key] or None, key[2]) for key in rows]


def _print(gone: Iterable[Gone], verb: str) -> None:
    lines = [_line(one) for one in gone]
    if not lines:
        click.echo(f"nothing {verb}")
        return
    click.echo(f"{'retention':<10} {'table':<24} {'rows':>12} {'size':>12}  {verb}")
    click.echo("\n".join(lines))


def _line(gone: Gone) -> str:
    more = "over " if gone.rows == retention.COUNTED else ""
    rows = "unknown" if gone.rows is None else f"{more}{gone.rows:,}"
    size = "" if gone.bytes is None else f"{gone.bytes / 1024**2:,.1f} MiB"
    return f"{gone.kind:<10} {gone.subject:<24} {rows:>12} {size:>12}{'' if gone.done else '  in use: try again'}"
