"""RabbitMQ for tests: one private node a session with its own ports, cookie and name, a fresh vhost a test.

It is of the system's release unless `--rabbitmq` or a test names another (`parametrize`, `indirect=True`).

- `rabbitmq_url`: an own virtual host; gone after the test.
- `rabbitmq`: the node, to stop, kill and start it again (data and ports stay), and to ask its management API.
"""

import base64
import json
import os
import signal
import tempfile
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.services import certificates, programs

from flower_cli.embedded import process

# Measured 4 to 10 s on two shared cores.
START_LIMIT = timedelta(seconds=90)
OURS, FOUR = "ours", "4"
"""Releases: the one of the system (Debian 12 has 3.10), and 4 of Debian 13 (tests/services/install-rabbitmq-4)."""
UNPACKED_FOUR = programs.UNPACKED / "rabbitmq-4"
LOCATIONS = {
    OURS: (Path("/usr/lib/rabbitmq"), programs.UNPACKED / "root/usr/lib/rabbitmq"),
    FOUR: (UNPACKED_FOUR / "root/usr/lib/rabbitmq",),
}
SEARCH_PATHS = {
    OURS: programs.SEARCH_PATH,
    FOUR: os.pathsep.join([str(UNPACKED_FOUR / "bin"), programs.SEARCH_PATH]),
}
USER = PASSWORD = "guest"
# Two schedulers are plenty for a test; the default is one for each core of the machine.
ERLANG = ("+S 2:2", "-kernel inet_dist_use_interface {127,0,0,1}")
_numbers = count(1)


class RabbitMQ:
    """One node and its directory."""

    def __init__(self, server: Path, home: Path, *, path: str = programs.SEARCH_PATH, arguments: str = "") -> None:
        """Erlang is looked for on `path` and given further `arguments`."""
        self._server = server
        self._path = path
        self._arguments = arguments
        self._home = home
        self._epmd_port, self._distribution_port, self.port, self.management_port, self._tls_port = (
            process.free_port() for _ in range(5)
        )
        self._certificates = certificates.made(home)
        self._epmd: process.Process | None = None
        self._node: process.Process | None = None

    def start(self) -> None:
        """Start the node and wait until it takes connections; what was durable is there again."""
        self._configure()
        self._start_epmd()
        self._node = process.launch(
            [self._server],
            self._home / "rabbitmq.log",
            environment=self._environment(),
            stop_signal=signal.SIGTERM,
        )
        self._node.wait_until(self._ready, START_LIMIT)

    def stop(self) -> None:
        """Shut the node down in order, as an upgrade or a reboot does."""
        for running in (self._node, self._epmd):
            if running is not None:
                running.stop()

    def kill(self) -> None:
        """End the node at once, as a power cut does."""
        if self._node is not None:
            self._node.kill()

    def pause(self) -> None:
        """Let the node take what the kernel takes for it and do nothing, as a machine does that is about to die."""
        if self._node is not None:
            os.kill(self._node.pid, signal.SIGSTOP)

    def discard(self) -> None:
        """End all at once; an orderly stop of what is thrown away would take six seconds."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()

    def url(self, vhost: str) -> str:
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{vhost}"

    @property
    def authority(self) -> Path:
        """Who has signed its certificate, in PEM."""
        return self._certificates.authority

    def tls_url(self, vhost: str) -> str:
        """The same by TLS, for who trusts `authority`."""
        return f"amqps://{USER}:{PASSWORD}@127.0.0.1:{self._tls_port}/{vhost}"

    def request(self, method: str, path: str, body: dict[str, object] | None = None) -> object:
        """Ask the management API, such as `request("GET", "/queues/VHOST")`."""
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.management_port}/api{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            text = response.read()
        answer: object = json.loads(text) if text else None
        return answer

    def add_vhost(self, name: str) -> None:
        self.request("PUT", f"/vhosts/{name}")
        everything: dict[str, object] = {"configure": ".*", "write": ".*", "read": ".*"}
        self.request("PUT", f"/permissions/{name}/{USER}", everything)

    def remove_vhost(self, name: str) -> None:
        self.request("DELETE", f"/vhosts/{name}")

    @property
    def log(self) -> str:
        """What the node has warned of."""
        return (self._home / "rabbitmq.log").read_text()

    def _ready(self) -> bool:
        try:
            self.request("GET", "/health/checks/port-listener/" + str(self.port))
        except (OSError, urllib.error.URLError):
            return False
        return True

    def _start_epmd(self) -> None:
        """Our own port mapper: the one that Erlang would start by itself stays behind for ever."""
        if self._epmd is not None and self._epmd.running:
            return
        epmd = programs.find("epmd")
        if epmd is None:
            programs.missing("Erlang's epmd")
        self._epmd = process.launch(
            [epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1"],
            self._home / "epmd.log",
            environment=self._environment(),
            stop_signal=signal.SIGTERM,
        )

    def _configure(self) -> None:
        (self._home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"listeners.ssl.1 = 127.0.0.1:{self._tls_port}\n"
            f"ssl_options.cacertfile = {self._certificates.authority}\n"
            f"ssl_options.certfile = {self._certificates.certificate}\n"
            f"ssl_options.keyfile = {self._certificates.key}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.management_port}\n"
            # A test's disk may be small; the alarm would block publishers without a word.
            "disk_free_limit.absolute = 1MB\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
        )
        (self._home / "enabled_plugins").write_text("[rabbitmq_management].\n")

    def _environment(self) -> dict[str, str]:
        home = str(self._home)
        return {
            "PATH": self._path,
            "HOME": home,  # Erlang keeps its cookie there
            "LANG": "C.UTF-8",
            # Only with this word does the start script hand its process over to the node.
            "detached": "true",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"flower-{os.getpid()}-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_PID_FILE": f"{home}/node.pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": " ".join([*ERLANG, self._arguments]),
        }


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rabbitmq", choices=tuple(LOCATIONS), default=OURS, help="which release of RabbitMQ to use")


@pytest.fixture(scope="session")
def rabbitmq(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    release: Any = getattr(request, "param", None) or request.config.getoption("--rabbitmq")
    with node(release) as running:
        yield running


@pytest.fixture
def rabbitmq_url(rabbitmq: RabbitMQ) -> Iterator[str]:
    vhost = f"test-{next(_numbers)}"
    rabbitmq.add_vhost(vhost)
    yield rabbitmq.url(vhost)
    rabbitmq.remove_vhost(vhost)


@contextmanager
def node(release: str, *, arguments: str = "") -> Generator[RabbitMQ]:
    """A node that runs, and is thrown away after the block."""
    server = find(release)
    if server is None and release == FOUR:
        programs.missing("RabbitMQ 4", fetched_by="tests/services/install-rabbitmq-4")
    if server is None:
        programs.missing("RabbitMQ")
    with tempfile.TemporaryDirectory(prefix="flower-rabbitmq-") as directory:
        running = RabbitMQ(server, Path(directory), path=SEARCH_PATHS[release], arguments=arguments)
        try:
            running.start()
            yield running
        finally:
            running.discard()


def find(release: str = OURS) -> Path | None:
    """The start script itself: the one in /usr/sbin changes to the user `rabbitmq` and the system's node."""
    scripts = (
        script
        for location in LOCATIONS[release]
        for script in location.glob("lib/rabbitmq_server-*/sbin/rabbitmq-server")
    )
    return next(scripts, None)
