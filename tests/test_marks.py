"""The long tests under faults are left out, however tests are selected, unless they are asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_long_fault_tests_run_only_where_they_are_asked_for() -> None:
    told_by_mark = _collected("-m", "faults")
    asked_for = _collected("-m", "faults", "--faults")

    assert told_by_mark == ""
    assert "test_convergence.py::" in asked_for


def _collected(*options: str) -> str:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", "tests/faults", *options]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return "\n".join(line for line in ran.stdout.splitlines() if "::" in line)
