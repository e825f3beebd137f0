"""Which of the database's errors are worth trying again."""

import psycopg
import pytest

from flower_store import errors


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("08006", errors.Unavailable),  # connection failure
        ("25006", errors.Unavailable),  # read-only transaction: a standby after a failover
        ("25P03", errors.Unavailable),  # idle in transaction for too long
        ("26000", errors.Unavailable),  # no such prepared statement: behind a pool
        ("58030", errors.Unavailable),  # input or output failed
        ("XX001", errors.Unavailable),  # corrupted data
        ("XX002", errors.Unavailable),  # corrupted index
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


BLAMED = {
    "21": "cardinality: a row twice in one statement",
    "22": "data: numbers out of range, broken encodings",
    "23": "constraints",
    "27": "triggers of the user's",
    "38": "routines of the user's",
    "39": "routines of the user's",
    "44": "checks of views",
    "54": "program limits: too large for an index",
    "P0": "RAISE in a trigger of the user's",
}
"""Classes of PostgreSQL's codes (manual, appendix A) in which the event may be to blame."""

CODES = sorted(
    {
        error.sqlstate
        for error in vars(psycopg.errors).values()
        if isinstance(error, type) and issubclass(error, psycopg.Error) and error.sqlstate
    }
)


@pytest.mark.parametrize("code", CODES)
def test_an_event_is_set_aside_for_no_other_code_of_postgresql(code: str) -> None:
    error = psycopg.errors.lookup(code)("why")

    assert isinstance(errors.translate(error), errors.Rejected) == (code[:2] in BLAMED)


def test_the_list_of_codes_is_postgresqls() -> None:
    assert len(CODES) > 240
    assert {code[:2] for code in CODES} > BLAMED.keys()


def test_a_code_that_nobody_knows_is_an_outage() -> None:
    class Unheard(psycopg.DatabaseError):
        sqlstate = "ZZ999"

    assert type(errors.translate(Unheard("why"))) is errors.Unavailable


def test_a_broken_connection_has_no_code_and_is_unavailable() -> None:
    assert type(errors.translate(psycopg.OperationalError("server closed the connection"))) is errors.Unavailable


def test_a_value_that_the_driver_cannot_send_is_rejected() -> None:
    assert type(errors.translate(psycopg.DataError("PostgreSQL text fields cannot contain NUL"))) is errors.Rejected


def test_a_value_of_a_kind_that_the_driver_does_not_know_is_rejected() -> None:
    assert type(errors.translate(psycopg.ProgrammingError("cannot adapt type"))) is errors.Rejected


def test_an_error_of_our_own_passes_unchanged() -> None:
    with pytest.raises(errors.WrongSchema), errors.translated():
        raise errors.WrongSchema("x")
