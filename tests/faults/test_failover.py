"""T33: the primary is lost under load, and the standby takes over; the collector has the URL of both."""

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from tests.faults import standby, trial
from tests.faults.scene import Database

pytestmark = pytest.mark.slow


def test_a_collector_goes_on_at_the_standby_that_became_the_primary(
    tmp_path: Path, rabbitmq_url: str, seed: int
) -> None:
    with standby.pair() as (primary, other):
        leading: Database = primary
        with trial.under_load(
            tmp_path, rabbitmq_url, either(primary.url, other.url), direct=lambda: leading.url, seed=seed
        ) as tried:
            primary.kill()
            tried.is_away()
            leading = other
            other.promote()

            tried.goes_on()
            tried.all_is_there_once()


@pytest.mark.faults
def test_a_primary_that_became_a_standby_is_left_for_the_other(tmp_path: Path, rabbitmq_url: str, seed: int) -> None:
    """It still answers, and must not be asked: `target_session_attrs=read-write` is the default of two hosts."""
    with standby.pair() as (primary, other):
        leading: Database = primary
        with trial.under_load(
            tmp_path, rabbitmq_url, either(primary.url, other.url), direct=lambda: leading.url, seed=seed
        ) as tried:
            primary.refuse_writes()
            tried.is_away()
            leading = other
            other.promote()

            tried.goes_on()
            tried.all_is_there_once()


def either(one: str, other: str) -> str:
    """One URL of both servers, which have one role and one password."""
    parts = urlsplit(one)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc},{urlsplit(other).netloc.rpartition('@')[2]}"))
