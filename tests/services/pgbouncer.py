"""pgbouncer for tests, in transaction mode, as Debian ships it and with few connections, so that they are shared.

- `pooled(url)`: the URL of a pool before the database at a URL; gone at the end.
- `serving(url)`: the pool itself, to end it and start it again.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from tests.services import programs

from flower_cli.embedded import account, process
from flower_cli.embedded.process import Process

CONNECTIONS = 3


class Pgbouncer:
    """Plain pgbouncer: what it refuses or forgets by default, it refuses and forgets here. Starts again at its URL."""

    def __init__(self, home: Path, url: str) -> None:
        program = programs.find("pgbouncer")
        self._program = program or programs.missing("pgbouncer")
        self._home = home
        parts, port = urlsplit(url), process.free_port()
        self.url = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))
        self._running: Process | None = None
        (home / "users").write_text(f'"{parts.username}" "{parts.password}"\n')
        (home / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={parts.hostname} port={parts.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {home}/users\n"
            f"pool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\n"
        )

    def start(self) -> None:
        self._running = process.launch(
            [self._program, self._home / "pgbouncer.ini"],
            self._home / "pgbouncer.log",
            environment={"PATH": programs.SEARCH_PATH},
            stop_signal=signal.SIGTERM,
            prefix=_prefix(self._home),
        )
        self._running.wait_until(lambda: _answers(self.url), timedelta(seconds=20))

    def kill(self) -> None:
        """End it at once. May be called twice."""
        if self._running is not None:
            self._running.kill()


@contextmanager
def serving(url: str) -> Generator[Pgbouncer]:
    """A pool before the database at a URL; gone after the block."""
    with tempfile.TemporaryDirectory(prefix="flower-pgbouncer-") as directory:
        pool = Pgbouncer(Path(directory), url)
        try:
            pool.start()
            yield pool
        finally:
            pool.kill()


@contextmanager
def pooled(url: str) -> Generator[str]:
    with serving(url) as pool:
        yield pool.url


def _prefix(home: Path) -> tuple[str, ...]:
    """It refuses root, as PostgreSQL does; nobody may then enter its directory."""
    if os.geteuid() != 0:
        return ()
    home.chmod(0o755)
    names = subprocess.run([*account.NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    return account.NAMESPACE if names else account.CHANGE_USER


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
