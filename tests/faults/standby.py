"""A primary and its standby by streaming replication, made by PostgreSQL's own pg_basebackup from the same programs.

Replication is synchronous: what the primary has committed is on the standby, so a failover may lose nothing. The
standby's primary is where the base backup found it; a primary that is started again is on another port.
"""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults import scene
from tests.faults.nemesis import TERMINATE
from tests.faults.scene import Database
from tests.services import programs
from tests.waiting import eventually

import flower_migrations
from flower_cli.embedded.account import Account
from flower_cli.embedded.postgres import ROLE

_REPLICATION = f"host  replication  {ROLE}  127.0.0.1/32  scram-sha-256\n"
_SYNCHRONOUS = "synchronous_standby_names = '*'\n"
_READ_ONLY = "default_transaction_read_only = on\n"


class Primary(Database):
    """A server that a standby may be copied from."""

    def await_standby(self) -> None:
        """From the next commit on, each waits for a standby; return when there is one."""
        self._set(_SYNCHRONOUS)
        eventually(lambda: self.query("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"))

    def refuse_writes(self) -> None:
        """As a primary that was made a standby: it answers, and takes nothing. What is under way is ended."""
        self._set(_READ_ONLY)
        eventually(lambda: self.query("SHOW default_transaction_read_only") == [("on",)])
        self.query(TERMINATE)

    def kill(self) -> None:
        """As `kill -9` of the postmaster, whose children then end at once."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        eventually(lambda: not self.running)
        self.stop()

    def password(self) -> str:
        return self._password()

    def _first_statements(self) -> str:
        return f"{super()._first_statements()}ALTER ROLE {ROLE} REPLICATION\nGRANT pg_monitor TO {ROLE}\n"

    def _make(self, user: Account) -> None:
        super()._make(user)
        with (self._data / "pg_hba.conf").open("a") as access:
            access.write(_REPLICATION)

    def _set(self, line: str) -> None:
        """For this server alone: what ALTER DATABASE sets, a standby would have, too."""
        assert self._process is not None
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(line)
        os.kill(self._process.pid, signal.SIGHUP)


class Standby(Database):
    """A copy of a primary that runs, kept up by it until `promote()`."""

    def __init__(self, home: Path, primary: Primary) -> None:
        super().__init__(home)
        self._primary = primary

    def promote(self) -> None:
        """Become the primary."""
        user = self._account_for(self._programs(), self._home)
        self._run(user, self._program("pg_ctl"), "promote", "--pgdata", self._data)

    def _make(self, user: Account) -> None:
        (self._home / "password").write_text(self._primary.password())
        self._run(
            user, self._program("pg_basebackup"), "--pgdata", self._data, "--dbname", self._primary.url,
            "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
        )  # fmt: skip

    def _program(self, name: str) -> Path:
        program = self._programs().directory / name
        return program if program.exists() else programs.missing(f"PostgreSQL's {name}")


@contextmanager
def pair() -> Generator[tuple[Primary, Standby]]:
    """Both run, migrated and in step."""
    with (
        TemporaryDirectory(prefix="flower-primary-") as one,
        TemporaryDirectory(prefix="flower-standby-") as other,
        scene.serving(Primary(Path(one))) as primary,
    ):
        flower_migrations.upgrade(primary.url)
        with scene.serving(Standby(Path(other), primary)) as standby:
            primary.await_standby()
            yield primary, standby
