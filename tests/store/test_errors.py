"""Which of the database's errors are worth trying again."""

import psycopg
import pytest

from flower_store import errors


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("08006", errors.Unavailable),  # connection failure
        ("25006", errors.Unavailable),  # read-only transaction: a standby after a failover
        ("40001", errors.Unavailable),  # serialization failure
        ("40P01", errors.Unavailable),  # deadlock
        ("42501", errors.Unavailable),  # a right is missing
        ("42703", errors.Unavailable),  # a column is missing
        ("53100", errors.Unavailable),  # disk full
        ("53300", errors.Unavailable),  # too many connections
        ("55P03", errors.Unavailable),  # lock not available
        ("57P01", errors.Unavailable),  # administrator's shutdown
        ("57P03", errors.Unavailable),  # starting up
        ("57014", errors.StatementTimeout),
        ("22001", errors.Rejected),  # value too long
        ("22021", errors.Rejected),  # not a character of the encoding
        ("23505", errors.Rejected),  # unique violation
        ("54000", errors.Rejected),  # too large for an index
    ],
)
def test_only_what_can_succeed_later_is_unavailable(sqlstate: str, expected: type[errors.StoreError]) -> None:
    error = psycopg.errors.lookup(sqlstate)("why")

    assert type(errors.translate(error)) is expected


def test_a_broken_connection_has_no_code_and_is_unavailable() -> None:
    assert type(errors.translate(psycopg.OperationalError("server closed the connection"))) is errors.Unavailable


def test_a_value_that_the_driver_cannot_send_is_rejected() -> None:
    assert type(errors.translate(psycopg.DataError("PostgreSQL text fields cannot contain NUL"))) is errors.Rejected


def test_an_error_of_our_own_passes_unchanged() -> None:
    with pytest.raises(errors.WrongSchema), errors.translated():
        raise errors.WrongSchema("x")
