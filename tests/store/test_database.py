"""The database's URL: what libpq is told, and what people are."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from flower_store import database, errors
from flower_store.settings import SettingError, StoreSettings


@pytest.mark.parametrize(
    ("url", "host", "port", "attributes"),
    [
        ("postgresql://u:p@h/db", "h", None, None),
        ("postgresql://u:p@h:1/db", "h", "1", None),
        ("postgresql://u:p@h1:1,h2:2/db", "h1,h2", "1,2", "read-write"),
        ("postgres://u:p@h1,h2/db", "h1,h2", ",", "read-write"),
        ("postgresql://u@[::1]:5,h2/db", "::1,h2", "5,", "read-write"),
        ("postgresql://u@h1,h2/db?target_session_attrs=any", "h1,h2", ",", "any"),
        ("postgresql://u@h1/db?target_session_attrs=read-write", "h1", None, "read-write"),
        ("postgresql:///db?host=/run/postgresql", "/run/postgresql", None, None),
        ("postgresql:///db?host=h1,h2&port=1,2", "h1,h2", "1,2", None),
    ],
)
def test_a_url_of_libpq_is_taken_as_it_is(url: str, host: str, port: str | None, attributes: str | None) -> None:
    told = conninfo_to_dict(database.libpq_url(url))

    assert (told.get("host"), told.get("port"), told.get("target_session_attrs")) == (host, port, attributes)
    assert told["dbname"] == "db"


def test_a_password_with_a_comma_names_no_second_host() -> None:
    told = conninfo_to_dict(database.libpq_url("postgresql://u:a,b%40c@h1:1,h2:2/db"))

    assert (told["password"], told["host"]) == ("a,b@c", "h1,h2")


def test_the_hosts_are_shown_and_the_password_is_not() -> None:
    assert database.shown("postgresql://u:p@h1:1,h2:2/db?sslpassword=x") == "postgresql://u:***@h1:1,h2:2/db"


@pytest.mark.parametrize("url", ["postgresql://u@h1:1,h2:0/db", "postgresql://u@h1:65536,h2/db", "postgresql://h:0/d"])
def test_each_port_is_checked(url: str) -> None:
    with pytest.raises(SettingError, match="port must be from 1 to 65535"):
        database.libpq_url(url)


def test_options_of_the_url_hold_for_writing_too(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE SCHEMA elsewhere")
    settings = StoreSettings(database_url=f"{database_url}?options=-csearch_path%3Delsewhere")

    with database.connect_driver(settings) as connection:
        row = connection.execute(
            "SELECT current_schema(), current_setting('statement_timeout'), current_setting('lock_timeout'), "
            "current_setting('idle_in_transaction_session_timeout'), current_setting('application_name')"
        ).fetchone()

    assert row == ("elsewhere", "30s", "10s", "30s", "flower")


def test_a_connection_that_cannot_be_made_is_no_events_fault() -> None:
    settings = StoreSettings(database_url="postgresql://h/db?service=nobody-has-it")

    with pytest.raises(errors.Unavailable):
        database.connect_driver(settings)
