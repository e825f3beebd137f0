"""A process tree of ours under test: the real command, its output, and everybody it started."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from tests.cli.terminal import Terminal
from tests.waiting import eventually

from flower_cli.embedded import process

# Two busy cores may need ten times the usual three seconds.
UP_SECONDS = 180.0
FLOWER = str(Path(sys.executable).with_name("flower"))


class Tree:
    """One `flower up`, `flower demo` or `celery flower`."""

    def __init__(self, command: Sequence[str], *, directory: Path, terminal: Terminal | None, **variables: str) -> None:
        self.port = process.free_port()
        self._seen: set[psutil.Process] = set()
        self._terminal = terminal
        self._output = directory / f"output-{self.port}"
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWER_", "CELERY_"))}  # noqa: TID251 - of a process
        with self._output.open("wb") as output:
            self._popen = subprocess.Popen(
                # Begins a session of its own on the terminal that is its standard input.
                ["setsid", "--ctty", *command] if terminal else command,
                cwd=directory,
                stdin=terminal.device if terminal else None,
                stdout=terminal.device if terminal else output,
                stderr=subprocess.STDOUT,
                env=environ | {"FLOWER_PORT": str(self.port), "PYTHONUNBUFFERED": "1"} | variables,
                start_new_session=terminal is None,
            )

    @property
    def output(self) -> str:
        return self._terminal.text() if self._terminal else self._output.read_text()

    @property
    def ended(self) -> bool:
        return self._popen.poll() is not None

    def until_up(self, *, scheme: str = "http") -> None:
        line = f"Flower is up at {scheme}://127.0.0.1:{self.port}\n"
        eventually(lambda: line in self.output or self.ended, within=UP_SECONDS)
        assert line in self.output, self.output

    def processes(self) -> list[psutil.Process]:
        """All that it started, and itself."""
        root = psutil.Process(self._popen.pid)
        found = [root, *root.children(recursive=True)]
        self._seen.update(found)
        return found

    def named(self, word: str) -> psutil.Process:
        """The one direct child with this word at the end of its command line."""
        children = psutil.Process(self._popen.pid).children()
        return next(child for child in children if child.cmdline()[-1:] == [word])

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self) -> int:
        return self._popen.wait(UP_SECONDS)

    def get(self, path: str) -> tuple[int, str]:
        return self._asked("GET", path, None)

    def post(self, path: str, body: object) -> tuple[int, str]:
        return self._asked("POST", path, json.dumps(body))

    def _asked(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    def answers(self) -> bool:
        """Whether something listens on its port."""
        try:
            return self.get("/readyz")[0] == http.HTTPStatus.OK
        except OSError:
            return False

    def tasks(self) -> list[str]:
        return list(json.loads(self.get("/api/tasks")[1]))

    def end(self) -> None:
        """For a test that failed: nobody stays."""
        self._seen |= set() if self.ended else set(self.processes())
        try:
            for one in self._seen:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        finally:
            self._popen.wait()


@contextmanager
def running(*arguments: str, directory: Path, program: Sequence[str] = (), **variables: str) -> Generator[Tree]:
    """The command while the test runs; `program` in place of `flower`."""
    with _ended(Tree([*(program or [FLOWER]), *arguments], directory=directory, terminal=None, **variables)) as tree:
        yield tree


@contextmanager
def on_terminal(terminal: Terminal, *arguments: str, directory: Path, **variables: str) -> Generator[Tree]:
    """The same, as from a shell on this terminal."""
    with _ended(Tree([FLOWER, *arguments], directory=directory, terminal=terminal, **variables)) as tree:
        yield tree


@contextmanager
def _ended(tree: Tree) -> Generator[Tree]:
    try:
        yield tree
    finally:
        tree.end()


def gone(processes: Sequence[psutil.Process]) -> Callable[[], bool]:
    """Whether none of them lives any more."""
    return lambda: not any(map(_lives, processes))


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it has ended between the two questions
        return False
