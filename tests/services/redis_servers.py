"""Redis servers of a test's own, with whatever settings: a password, TLS, a socket, a file; alone, or under Sentinel.

- `start_redis(*lines)`: a server with these lines of redis.conf; `kill()` and `start()` again keep port and directory.
- `start_sentinels(redis, replica)`: three sentinels that watch over the pair.
"""

import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import redis
from redis import exceptions
from tests.services import programs

from flower_cli.embedded import process

START_LIMIT = timedelta(seconds=20)

DOWN_AFTER = 1_000
"""Milliseconds of silence after which a sentinel takes a server for dead; less, and a slow machine's are."""

MASTER = "main"


class RedisServer:
    """One server, its directory and its port; nothing is written to disk unless a setting says so."""

    def __init__(
        self,
        program: Path,
        home: Path,
        lines: tuple[str, ...],
        *,
        tls: bool,
        username: str | None,
        password: str | None,
    ) -> None:
        self._program = program
        self._home = home
        self._lines = lines
        self._port_of = "port 0\ntls-port" if tls else "port"
        self._username = username
        self._password = password
        self.port = process.free_port()
        self._process: process.Process | None = None

    @property
    def socket(self) -> Path:
        return self._home / "redis.sock"

    @property
    def url(self) -> str:
        """Of database 0, without anybody's name."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        settings = [f"{self._port_of} {self.port}", "bind 127.0.0.1", f'dir "{self._home}"', 'save ""', *self._lines]
        self._process = process.launch(
            [self._program, "-"], self._home / "redis.log", stdin="\n".join([*settings, ""]).encode()
        )
        self._process.wait_until(self._answers, START_LIMIT)

    def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        if self._process is not None:
            self._process.kill()

    def client(self) -> "redis.Redis":
        """An administrator's, by the socket, which every server has."""
        return redis.Redis(
            unix_socket_path=str(self.socket), username=self._username, password=self._password, decode_responses=True
        )

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except (exceptions.RedisError, OSError):
            return False


class Sentinels:
    """Three sentinels and their common view; two must agree that the master is gone."""

    def __init__(self, program: Path, home: Path, master: RedisServer) -> None:
        self._program = program
        self._home = home
        self._ports = [process.free_port() for _ in range(3)]
        self._master = master
        self._processes: list[process.Process] = []

    @property
    def url(self) -> str:
        return ";".join(f"sentinel://127.0.0.1:{port}" for port in self._ports)

    def start(self) -> None:
        for port in self._ports:
            # It writes what it learns into its own configuration, so that must be a file.
            configuration = self._home / f"{port}.conf"
            configuration.write_text(
                f'port {port}\nbind 127.0.0.1\ndir "{self._home}"\n'
                f"sentinel monitor {MASTER} 127.0.0.1 {self._master.port} 2\n"
                f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER}\n"
                f"sentinel failover-timeout {MASTER} 5000\n"
            )
            self._processes.append(
                process.launch([self._program, configuration, "--sentinel"], self._home / f"{port}.log")
            )
        self._processes[0].wait_until(self.agree, START_LIMIT)

    def agree(self) -> bool:
        """Whether each knows the others and a replica that could take over."""
        return all(_knows_all(port) for port in self._ports)

    def master_port(self) -> int:
        with redis.Redis(port=self._ports[0], decode_responses=True) as client:
            found: Any = client.sentinel_get_master_addr_by_name(MASTER)
            return int(found[1])

    def stop(self) -> None:
        for running in self._processes:
            running.kill()


class StartRedis(Protocol):
    def __call__(
        self, *lines: str, tls: bool = False, username: str | None = None, password: str | None = None
    ) -> RedisServer: ...


@pytest.fixture
def start_redis() -> Iterator[StartRedis]:
    # Not under pytest's own directory: a socket's path is bounded to some hundred characters.
    with tempfile.TemporaryDirectory(prefix="flower-redis-") as directory:
        running: list[RedisServer] = []

        def start(
            *lines: str, tls: bool = False, username: str | None = None, password: str | None = None
        ) -> RedisServer:
            program = programs.find("redis-server", "valkey-server") or programs.missing("Redis")
            home = Path(directory) / str(len(running))
            home.mkdir()
            server = RedisServer(
                program, home, (f"unixsocket {home}/redis.sock", *lines), tls=tls, username=username, password=password
            )
            running.append(server)
            server.start()
            return server

        yield start
        for server in running:
            server.kill()


@pytest.fixture
def start_sentinels() -> Iterator[Callable[[RedisServer], Sentinels]]:
    with tempfile.TemporaryDirectory(prefix="flower-sentinel-") as directory:
        running: list[Sentinels] = []

        def start(master: RedisServer) -> Sentinels:
            program = programs.find("redis-server", "valkey-server") or programs.missing("Redis")
            sentinels = Sentinels(program, Path(directory), master)
            running.append(sentinels)
            sentinels.start()
            return sentinels

        yield start
        for sentinels in running:
            sentinels.stop()


def _knows_all(port: int) -> bool:
    try:
        with redis.Redis(port=port, decode_responses=True) as client:
            state: Any = client.sentinel_master(MASTER)
            return int(state["num-slaves"]) >= 1 and int(state["num-other-sentinels"]) == 2
    except (exceptions.RedisError, OSError):
        return False
