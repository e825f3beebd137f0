import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.cli.embedded_processes import gone
from tests.services import programs
from tests.waiting import eventually

import flower_migrations
from flower_cli.embedded import account, binaries, errors, postmaster
from flower_cli.embedded.postgres import Postgres
from flower_store import factories
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

pytestmark = pytest.mark.slow  # real servers, started and killed

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give root up")
AccountFor = Callable[[binaries.Binaries, Path], account.Account]


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that other accounts can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="flower-embedded-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "postgres"


@pytest.fixture(scope="session")
def used() -> Iterator[Path]:
    """A directory in which a server has run, with the word `kept` in its database; tests leave it as it is."""
    with tempfile.TemporaryDirectory(prefix="flower-embedded-") as directory:
        with Postgres(Path(directory), durable=False) as url:
            _write(url, "kept")
        yield Path(directory)


@pytest.fixture
def copy(home: Path, used: Path) -> Path:
    """The same, for one test to spoil."""
    shutil.copytree(used, home)
    return home


def test_the_first_start_makes_a_database_that_an_ordinary_role_owns(home: Path) -> None:
    with Postgres(home, durable=False) as url, psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT current_database(), current_user, rolsuper, pg_get_userbyid(datdba)"
            " FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()"
        ).fetchone()

    assert row == ("flower", "flower", False, "flower")


def test_data_is_there_after_a_restart(used: Path) -> None:
    with Postgres(used, durable=False) as url:
        assert _read(url) == "kept"


def test_data_of_a_user_is_written_through(used: Path) -> None:
    with Postgres(used) as url, psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')").fetchone()

    assert row == ("on", "on")


def test_only_this_machine_can_connect(used: Path) -> None:
    with Postgres(used, durable=False) as url, psycopg.connect(url) as connection:
        addresses = connection.execute("SELECT current_setting('listen_addresses')").fetchone()
        socket_directory = (used / "data" / "postmaster.pid").read_text().splitlines()[4]

    assert addresses == ("127.0.0.1",)
    assert socket_directory == ""


def test_a_wrong_password_is_refused(used: Path) -> None:
    with Postgres(used, durable=False) as url, pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace("flower:", "flower:not-", 1))


def test_the_superuser_cannot_connect(used: Path) -> None:
    with Postgres(used, durable=False) as url, pytest.raises(psycopg.OperationalError, match="pg_hba"):
        psycopg.connect(url.replace("//flower:", "//postgres:", 1))


def test_the_password_can_be_read_by_its_owner_alone(used: Path) -> None:
    assert (used / "password").stat().st_mode & 0o777 == 0o600


def test_a_second_server_in_the_same_directory_is_refused_by_name(used: Path) -> None:
    with Postgres(used, durable=False), pytest.raises(errors.InUse, match=f"in use by process {os.getpid()}"):
        Postgres(used, durable=False).start()


def test_stopping_twice_is_stopping_once(used: Path) -> None:
    server = Postgres(used, durable=False)
    server.start()

    server.stop()
    server.stop()

    assert not server.running


def test_data_of_another_major_version_is_refused_and_left_alone(copy: Path) -> None:
    (copy / "data" / "PG_VERSION").write_text("14\n")

    with pytest.raises(errors.Unusable, match=r"was made by PostgreSQL 14, and .* holds \d+: install PostgreSQL 14"):
        Postgres(copy).start()

    assert (copy / "data" / "PG_VERSION").read_text() == "14\n"


def test_a_first_start_that_was_cut_short_is_begun_again(home: Path) -> None:
    (home / "data.new").mkdir(parents=True)
    (home / "data.new" / "PG_VERSION").write_text("18\n")

    with Postgres(home, durable=False) as url:
        _write(url, "whole")


def test_a_lost_password_is_named(copy: Path) -> None:
    (copy / "password").unlink()

    with pytest.raises(errors.Unusable, match="password is missing"):
        Postgres(copy, durable=False).start()


def test_a_server_that_cannot_start_says_what_its_log_says(copy: Path) -> None:
    (copy / "data" / "postgresql.conf").write_text("max_connections = many\n")

    with pytest.raises(errors.DidNotStart, match='invalid value for parameter "max_connections"'):
        Postgres(copy, durable=False).start()


def test_a_directory_without_programs_is_refused(home: Path) -> None:
    with pytest.raises(errors.NotFound, match="does not hold PostgreSQL's programs"):
        Postgres(home, bin_dir=home.parent).start()


def test_a_note_left_by_a_dead_server_does_not_keep_the_next_one_from_starting(copy: Path) -> None:
    # In a container the same process id soon belongs to another program.
    other = subprocess.Popen(["sleep", "60"])
    (copy / "data" / "postmaster.pid").write_text(f"{other.pid}\n{copy / 'data'}\n0\n5432\n\n127.0.0.1\n")

    with Postgres(copy, durable=False) as url:
        assert _read(url) == "kept"

    other.kill()
    other.wait()


def test_a_killed_owner_leaves_no_server_behind(used: Path) -> None:
    owner = _owner(used)
    server = _server_of(used)

    owner.send_signal(signal.SIGKILL)
    owner.wait()

    eventually(lambda: gone(server))


def test_the_next_owner_after_a_killed_one_waits_for_the_old_server(used: Path) -> None:
    owner = _owner(used)
    owner.send_signal(signal.SIGKILL)
    owner.wait()

    with Postgres(used, durable=False) as url:
        assert _read(url) == "kept"


@AS_ROOT
def test_root_without_user_namespaces_becomes_nobody(home: Path) -> None:
    with Postgres(home, durable=False, account_for=account.as_nobody) as url:
        _write(url, "kept")
        owner = Path(f"/proc/{_server_of(home)}").stat().st_uid

    assert owner == account.NOBODY


@AS_ROOT
@pytest.mark.parametrize(
    ("before", "after"), [(account.fitting, account.as_nobody), (account.as_nobody, account.fitting)]
)
def test_data_survives_a_change_of_account(home: Path, before: AccountFor, after: AccountFor) -> None:
    with Postgres(home, durable=False, account_for=before) as url:
        _write(url, "kept")

    with Postgres(home, durable=False, account_for=after) as url:
        assert _read(url) == "kept"


@AS_ROOT
def test_nobody_is_told_which_directory_is_closed_to_it(home: Path) -> None:
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)

    with pytest.raises(errors.Unusable, match=f"no other account may enter {closed}"):
        Postgres(closed / "postgres", account_for=account.as_nobody).start()


def test_debians_programs_serve_as_well_and_hold_the_schema(home: Path) -> None:
    with Postgres(home, durable=False, bin_dir=programs.oldest_postgresql()) as url:
        flower_migrations.upgrade(url)
        writer = Writer(StoreSettings(database_url=url), cluster="default")
        writer.ensure_partitions(factories.NOON)
        written = [writer.write(factories.a_success("a task")).stored for _ in range(2)]
        writer.close()

        with psycopg.connect(url) as connection:
            state = connection.execute("SELECT state FROM task").fetchone()
            version = connection.info.server_version // 10_000

    assert version == 15
    assert written == [4, 0]
    assert state == ("SUCCESS",)


def _write(url: str, word: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE note AS SELECT %s::text AS word", [word])


def _read(url: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT word FROM note").fetchone()
    return row and row[0]


def _owner(home: Path) -> subprocess.Popen[bytes]:
    """Another process that starts a server and waits."""
    script = (
        "import signal, sys; from pathlib import Path; from flower_cli.embedded.postgres import Postgres;"
        "Postgres(Path(sys.argv[1]), durable=False).start(); signal.pause()"
    )
    owner = subprocess.Popen([sys.executable, "-c", script, str(home)])
    eventually(lambda: _ready(home))
    return owner


def _ready(home: Path) -> bool:
    note = home / "data" / "postmaster.pid"
    return note.exists() and postmaster.ready(home / "data", pid=_server_of(home))


def _server_of(home: Path) -> int:
    return int((home / "data" / "postmaster.pid").read_text().split()[0])
