"""A data directory that cannot be had is refused with its name, the reason and the way out."""

from pathlib import Path

import pytest
from tests.cli.conftest import Run

WAY_OUT = "name another data directory with --data-dir or FLOWER_DATA_DIR\n"
UP = ("up", "-b", "redis://h", "--port", "0")
DEMO = ("demo", "--port", "0")


@pytest.mark.parametrize("command", [UP, DEMO])
@pytest.mark.parametrize("place", ["file", "file/below", "/proc/flower"])
def test_one_that_cannot_be_made_is_refused_in_one_sentence(
    flower: Run, tmp_path: Path, command: tuple[str, ...], place: str
) -> None:
    (tmp_path / "file").touch()

    result = flower(*command, "--data-dir", str(tmp_path / place))

    last = result.output.splitlines(keepends=True)[-1]
    assert result.exit_code == 2
    assert last.startswith(f"flower: {tmp_path / place}")
    assert " cannot be made or written (" in last
    assert last.endswith(WAY_OUT)


@pytest.mark.parametrize("command", [UP, DEMO])
def test_a_home_that_cannot_be_written_is_refused_in_one_sentence(flower: Run, command: tuple[str, ...]) -> None:
    result = flower(*command, HOME="/proc/nobody", XDG_DATA_HOME="")

    assert result.exit_code == 2
    assert f"flower: /proc/nobody/.local/share/flower/{command[0]}" in result.output
    assert result.output.endswith(WAY_OUT)


def test_a_user_without_a_home_is_refused(flower: Run) -> None:
    result = flower(*UP, "--data-dir", "~nobody-of-that-name/data")

    assert result.exit_code == 2
    assert result.output == (
        "flower: data_dir: `~nobody-of-that-name/data` from --data-dir: begins with a user who has no home here\n"
    )
