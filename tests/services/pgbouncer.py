"""pgbouncer for tests, in transaction mode, as Debian ships it and with few connections, so that they are shared.

- `pooled(url)`: the URL of a pool before the database at a URL; gone at the end.
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

CONNECTIONS = 3


@contextmanager
def pooled(url: str) -> Generator[str]:
    """Plain pgbouncer: what it refuses or forgets by default, it refuses and forgets here."""
    program = programs.find("pgbouncer")
    if program is None:
        programs.missing("pgbouncer")
    parts = urlsplit(url)
    with tempfile.TemporaryDirectory(prefix="flower-pgbouncer-") as directory:
        home, port = Path(directory), process.free_port()
        pool = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))
        (home / "users").write_text(f'"{parts.username}" "{parts.password}"\n')
        (home / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={parts.hostname} port={parts.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {home}/users\n"
            f"pool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\n"
        )
        running = process.launch(
            [program, home / "pgbouncer.ini"],
            home / "pgbouncer.log",
            environment={"PATH": programs.SEARCH_PATH},
            stop_signal=signal.SIGTERM,
            prefix=_prefix(home),
        )
        try:
            running.wait_until(lambda: _answers(pool), timedelta(seconds=20))
            yield pool
        finally:
            running.kill()


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
