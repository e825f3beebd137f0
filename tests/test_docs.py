"""Every setting is documented: in docs/configuration.md, which is made of the declarations, and in --help.

docs/faults.md names tests that there are.
"""

import re
from pathlib import Path

from flower_cli import documentation, main, rooms
from flower_cli.options import SettingsCommand

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "configuration.md"
FAULTS = TESTS.parent / "docs" / "faults.md"


def test_the_document_is_the_one_that_the_declarations_give() -> None:
    assert DOCUMENT.read_text() == documentation.markdown(), "run `flower reference > docs/configuration.md`"


def test_every_setting_stands_in_the_document() -> None:
    text = DOCUMENT.read_text()

    missing = [one.name for one in rooms.known().values() if f"`{one.flag}`<br>`{one.variable}`" not in text]

    assert not missing


def test_every_setting_is_an_option_of_some_command() -> None:
    commands = [made() for made in main.COMMANDS.values()]
    options = {
        parameter.name for command in commands if isinstance(command, SettingsCommand) for parameter in command.params
    }

    assert set(rooms.known()) <= options


def test_every_help_is_a_sentence() -> None:
    for setting in rooms.known().values():
        assert setting.help[0].isupper(), setting.name
        assert setting.help.endswith("."), setting.name


def test_every_row_of_the_plan_of_faults_is_there_once_and_names_tests_that_exist() -> None:
    rows = [line for line in FAULTS.read_text().splitlines() if line.startswith("| T")]
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", "\n".join(rows))

    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in (TESTS / file).read_text()]

    assert [row[2:5] for row in rows] == [f"T{number:02}" for number in range(1, 61)]
    assert not missing
    assert all("`" in row or "**open**" in row or "not " in row for row in rows)
