"""A private PostgreSQL: on a free port of the loopback, gone with its owner, its data kept.

The directory holds `data` (the cluster), `password` (of the role `flower`, 0600), `postgres.log` and `lock`.
Nobody reaches the superuser by network: pg_hba.conf has no line for it, single-user mode is its only door.
"""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from flower_cli.embedded import account, binaries, errors, postmaster, process
from flower_cli.embedded.account import Account
from flower_cli.embedded.server import Server

ROLE = DATABASE = "flower"
ACCESS = f"""\
# Written by flower: its own role alone, by password.
local  all  {ROLE}                scram-sha-256
host   all  {ROLE}  127.0.0.1/32  scram-sha-256
"""
# Recovery after a crash replays up to max_wal_size (1 GB), which took seconds, not minutes, on a slow disk.
START_LIMIT = timedelta(seconds=60)
# Without autovacuum, too: its worker is the superuser's, and holds up the DROP DATABASE of an ordinary role.
UNSAFE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


class Postgres(Server):
    """A PostgreSQL; its data stays. Stopping ends all sessions and writes what is open."""

    port_taken = "could not bind"

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        bin_dir: Path | None = None,
        account_for: Callable[[binaries.Binaries, Path], Account] = account.fitting,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """`durable=False` trades the data's safety for speed (tests); `bin_dir` holds the programs to use."""
        super().__init__(data_dir, wait=wait)
        self._durable = durable
        self._bin_dir = bin_dir
        self._account_for = account_for

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _start(self) -> str:
        user = self._account_for(self._programs(), self._home)
        if not self._data.exists():
            self._make(user)
        user.give(self._data)
        postmaster.await_end(self._data, wait=self._wait)
        port = self._serve(lambda port: self._launch(user, port))
        return f"postgresql://{ROLE}:{self._password()}@127.0.0.1:{port}/{DATABASE}"

    def _programs(self) -> binaries.Binaries:
        version = self._data / "PG_VERSION"
        major = int(version.read_text()) if version.exists() else None
        found = binaries.find(explicit=self._bin_dir, major=major)
        if major not in (None, found.major):
            raise errors.Unusable(
                f"{self._data} was made by PostgreSQL {major}, and {found.directory} holds {found.major}: "
                f"install PostgreSQL {major}, move the data with pg_upgrade, or choose another data directory"
            )
        return found

    def _launch(self, user: Account, port: int) -> None:
        settings = [
            f"port={port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",  # a socket's path must be under 108 bytes, a data directory need not
            "jit=off",  # the wheel has none, and dashboards ask short questions
            "log_checkpoints=off",
            *(() if self._durable else UNSAFE),
        ]
        options = [word for setting in settings for word in ("-c", setting)]
        started = process.launch(
            [user.binaries.postgres, "-D", self._data, *options],
            self._home / "postgres.log",
            environment=_environment(),
            prefix=user.prefix,
        )
        self._process = started
        started.wait_until(lambda: postmaster.ready(self._data, pid=started.pid), START_LIMIT, wait=self._wait)

    def _make(self, user: Account) -> None:
        """Make the cluster beside its place and move it there when whole: a half-made one is never used."""
        draft = self._home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        user.give(draft)
        sync = () if self._durable else ("--no-sync",)
        self._run(
            user, user.binaries.initdb, "-D", draft, "-U", "postgres", "--auth=reject", "--encoding=UTF8",
            "--locale=C.UTF-8", "--data-checksums", "--no-instructions", *sync,
        )  # fmt: skip
        (draft / "pg_hba.conf").write_text(ACCESS)
        self._run(
            user, user.binaries.postgres, "--single", "-D", draft, "-c", "exit_on_error=on", "postgres",
            stdin=self._first_statements(),
        )  # fmt: skip
        draft.rename(self._data)

    def _first_statements(self) -> str:
        password = secrets.token_urlsafe(24)
        file = self._home / "password"
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text(password)
        role = f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'"
        return f"{role}\nCREATE DATABASE {DATABASE} OWNER {ROLE}\n"

    def _password(self) -> str:
        try:
            return (self._home / "password").read_text()
        except FileNotFoundError as error:
            raise errors.Unusable(f"{self._home / 'password'} is missing, and {self._data} needs it") from error

    def _run(self, user: Account, *command: str | Path, stdin: str = "") -> None:
        answer = subprocess.run(
            [*user.prefix, *map(str, command)],
            cwd="/", env=_environment(), input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answer.returncode != 0:
            raise errors.DidNotStart(f"{Path(command[0]).name} failed: {answer.stderr.strip() or answer.stdout}")


def _environment() -> dict[str, str]:
    """Ours, without what would point PostgreSQL's programs at another server or another data directory."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
