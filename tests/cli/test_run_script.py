"""The script `run`, in a directory of its own: what it refuses, and what it removes."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "run"
MADE = (
    ".venv/bin/python",
    ".cache/setup.log",
    ".state/demo/history",
    "web/frontend/node_modules/x",
    "api/__pycache__/x",
)
KEPT = ("pyproject.toml", "web/frontend/app.ts", "api/flower_api/app.py")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copy(SCRIPT, tmp_path / "run")
    for name in (*MADE, *KEPT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def demo(checkout: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like the demo of this checkout, and waits."""
    program = checkout / ".venv/bin/flower"
    program.write_text("#!/bin/sh\nread -r line\n")
    program.chmod(0o755)
    with subprocess.Popen([program, "demo"], stdin=subprocess.PIPE) as process:
        (checkout / ".state/demo.pid").write_text(f"{process.pid}\n")
        yield process
        process.kill()


def test_help_names_every_command(checkout: Path) -> None:
    answer = _run(checkout, "help")

    assert answer.returncode == 0
    for command in ("demo", "test", "test-faults", "check", "bench", "setup", "clean"):
        assert f"./run {command}" in (line.split("  ")[0] for line in answer.stdout.splitlines())


def test_an_unknown_command_is_refused_with_the_list_of_those_there_are(checkout: Path) -> None:
    answer = _run(checkout, "tset")

    assert answer.returncode == 2
    assert "./run tset: there is no such thing" in answer.stderr
    assert "./run test" in answer.stderr


def test_clean_removes_what_was_made_and_nothing_else(checkout: Path) -> None:
    answer = _run(checkout, "clean")

    assert answer.returncode == 0
    assert not any((checkout / name).parent.exists() for name in MADE)
    assert all((checkout / name).exists() for name in KEPT)


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("command", ["clean", "demo"])
def test_a_running_demo_is_left_alone(checkout: Path, command: str) -> None:
    answer = _run(checkout, command)

    assert answer.returncode == 1
    assert "the demo is running here" in answer.stderr
    assert all((checkout / name).exists() for name in MADE)


def test_a_demo_that_has_ended_is_not_in_the_way(checkout: Path, demo: subprocess.Popen[bytes]) -> None:
    demo.kill()
    demo.wait()

    assert _run(checkout, "clean").returncode == 0


def test_another_program_with_the_number_of_an_ended_demo_is_not_taken_for_it(checkout: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        (checkout / ".state/demo.pid").write_text(f"{other.pid}\n")

        answer = _run(checkout, "clean")

        other.kill()
    assert answer.returncode == 0


def test_a_python_that_is_too_old_is_refused_in_a_sentence(checkout: Path) -> None:
    old = checkout / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    answer = _run(checkout, "setup", PYTHON=str(old))

    assert answer.returncode == 2
    assert "Python 3.11 or newer is needed" in answer.stderr


def _run(checkout: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "run", command],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
