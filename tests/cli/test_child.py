"""Our own processes: they stop when asked, die with their owner, and leave nobody behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from tests.cli import trees
from tests.waiting import eventually

from flower_cli.child import Child, stop_all

SLEEPER = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]); {STUBBORN}"


@pytest.fixture
def child(tmp_path: Path) -> Callable[[str], Child]:
    def make(program: str, patience: timedelta = timedelta(seconds=10)) -> Child:
        return Child("sleeper", [sys.executable, "-c", program], {}, log=tmp_path / "sleeper.log", patience=patience)

    return make


def test_a_child_stops_when_it_is_asked(child: Callable[[str], Child]) -> None:
    sleeper = child(SLEEPER)
    sleeper.start()
    eventually(lambda: sleeper.last_words == "ready")

    sleeper.stop()

    assert not sleeper.running
    assert sleeper.status == -signal.SIGTERM


def test_one_that_does_not_stop_is_killed_with_its_own_children(child: Callable[..., Child]) -> None:
    before = set(psutil.Process().children(recursive=True))
    stubborn = child(PARENT, timedelta(milliseconds=100))
    stubborn.start()
    eventually(lambda: stubborn.last_words.count("ready") == 2)
    started = set(psutil.Process().children(recursive=True)) - before

    stop_all([stubborn])

    assert len(started) == 2
    eventually(trees.gone(list(started)))


def test_a_child_may_be_started_again(child: Callable[[str], Child]) -> None:
    short = child("print('done')")
    for _ in range(2):
        short.start()
        eventually(lambda: not short.running)

    assert short.last_words == "done\ndone"
    assert short.status == 0


def test_a_killed_owner_takes_its_child_along(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from flower_cli.child import Child\n"
        f"child = Child('sleeper', [sys.executable, '-c', {SLEEPER!r}], {{}}, log=Path(sys.argv[1]))\n"
        "child.start(); time.sleep(60)"
    )
    log = tmp_path / "sleeper.log"
    owner = subprocess.Popen([sys.executable, "-c", program, log])
    eventually(lambda: log.exists() and "ready" in log.read_text())
    [sleeper] = psutil.Process(owner.pid).children()

    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()

    eventually(trees.gone([sleeper]))
