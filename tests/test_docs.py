"""Every setting is documented: in docs/configuration.md, which is made of the declarations, and in --help."""

from pathlib import Path

from flower_cli import documentation, main, rooms
from flower_cli.options import SettingsCommand

DOCUMENT = Path(__file__).parents[1] / "docs" / "configuration.md"


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
