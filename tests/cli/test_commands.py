"""The command line as people meet it: names, help, refusals, exit statuses, and Celery's door to it."""

import asyncio
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tests.cli.conftest import Run

from flower_api.access import passwords
from flower_cli import commands, declarations, main
from flower_cli.options import SettingsCommand

MARKER = "s3cret-marker"
# What `celery.commands` must not pull into every worker; importing them all took 1.3 s.
HEAVY = ("litestar", "sqlalchemy", "psycopg", "structlog", "alembic", "celery", "kombu", "uvicorn", "platformdirs")
APP = "from celery import Celery\n\napp = Celery('proj', broker='redis://localhost:1/0')\n"


def celery(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "celery", *arguments],
        cwd=directory, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["up", "collector", "api", "migrate", "config"])
def test_help_lists_every_option_with_its_variable(flower: Run, name: str) -> None:
    command = main.COMMANDS[name]()
    assert isinstance(command, SettingsCommand)

    text = flower(name, "--help", COLUMNS="200").output

    flat = " ".join(text.split())
    for setting in declarations.of(*command.takes).values():
        assert setting.flag in flat
        assert f"[{setting.variable}; default: " in flat


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["upp"], "unknown command `upp`, did you mean `up`?"),
        (["collector", "--flush-afer", "5s"], "unknown option `--flush-afer`, did you mean `--flush-after`?"),
        (["collector", "--flush_afer=5s"], "unknown option `--flush-afer`, did you mean `--flush-after`?"),
        (["config", "--port", "x"], "port: `x` from --port: must be a whole number"),
        (["config", "--port"], "Option '--port' requires an argument"),
        (["config", "extra"], "Got unexpected extra argument (extra)"),
        (["config", "--debug", "--no-debug"], "debug: given twice, by --debug and --no-debug"),
        (["migrate"], "no database is named: give --database-url or FLOWER_DATABASE_URL"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_status_2(flower: Run, arguments: list[str], sentence: str) -> None:
    result = flower(*arguments)

    assert (result.exit_code, result.output) == (2, f"flower: {sentence}\n")


@pytest.mark.parametrize("option", ["--flush-after", "--flush_after"])
def test_options_may_be_written_with_underscores(flower: Run, option: str) -> None:
    assert "flush_after = 7s  # --flush-after\n" in flower("config", option, "7s").output


@pytest.mark.parametrize("option", ["--no-enable-events", "--enable-events=no", "--enable_events=False"])
def test_a_bool_may_be_turned_off_as_in_flower(flower: Run, option: str) -> None:
    assert "enable_events = false" in flower("config", option).output


def test_the_port_may_come_from_port(flower: Run) -> None:
    assert "port = 8080  # PORT\n" in flower("config", PORT="8080").output
    assert "port = 9090  # FLOWER_PORT\n" in flower("config", PORT="8080", FLOWER_PORT="9090").output


def test_options_of_flower_2_are_taken_with_one_warning_each(flower: Run) -> None:
    result = flower("config", "--max_tasks=5", "--persistent", "--natural_time", FLOWER_MAX_TASKS="6")

    assert result.exit_code == 0
    assert result.output.count("is ignored") == 3


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (
            (
                "--auth_provider=flower.views.auth.GoogleAuth2LoginHandler", "--auth=.*@example.com",
                "--oauth2_key=key", f"--oauth2_secret={MARKER}", "--oauth2_redirect_uri=http://localhost:5555/login",
            ),
            {},
        ),
        (
            ("--auth_provider=flower.views.auth.OktaLoginHandler", "--auth=a@example.com|b@example.com"),
            {
                "FLOWER_OAUTH2_KEY": "key",
                "FLOWER_OAUTH2_SECRET": MARKER,
                "FLOWER_OAUTH2_REDIRECT_URI": "https://flower.example.com/login",
                "FLOWER_OAUTH2_OKTA_BASE_URL": "https://example.okta.com/oauth2",
            },
        ),
        (
            (),
            {
                "FLOWER_AUTH": "me@gmail.com",
                "FLOWER_AUTH_PROVIDER": "flower.views.auth.GitLabLoginHandler",
                "FLOWER_OAUTH2_KEY": "key",
                "FLOWER_OAUTH2_SECRET": MARKER,
                "FLOWER_OAUTH2_REDIRECT_URI": "https://flower.example.com/login",
                "FLOWER_GITLAB_OAUTH_DOMAIN": "gitlab.example.com",
                "FLOWER_GITLAB_AUTH_ALLOWED_GROUPS": "group1,group2/subgroup",
                "FLOWER_GITLAB_MIN_ACCESS_LEVEL": "30",
            },
        ),
    ],
)  # fmt: skip
def test_flower_2_s_logins_are_configured_as_they_were(
    flower: Run, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    """The examples of Flower's page on authentication."""
    result = flower("config", *arguments, **variables)

    assert result.exit_code == 0, result.output
    assert "is ignored" not in result.output
    assert "oauth2_secret = (secret)" in result.output
    assert MARKER not in result.output


def test_a_hash_of_a_password_is_printed_that_basic_auth_takes(flower: Run) -> None:
    asked = CliRunner().invoke(main.Flower("flower"), ["hash-password"], input="a word\na word\n")
    printed = asked.output.splitlines()[-1]

    assert asyncio.run(passwords.Users([f"alice:{printed}"]).check("alice", "a word")) is not None
    assert "basic_auth = (secret)" in flower("config", "--basic_auth", f"alice:{printed}").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("config", "--database-url", f"postgresql://u:{MARKER}@h/d"),
        ("config", "--broker", MARKER),
        ("config", "--basic_auth", f"alice:{MARKER},bob:{MARKER}x"),
        ("config", "--basic-auth", MARKER),
        ("config", "--broker-transport-options", f'{{"password": "{MARKER}"}}'),
        ("migrate", "--database-url", MARKER),
        ("migrate", "--database-url", f"postgresql://u:{MARKER}@127.0.0.1:1/d"),
        ("migrate", "--database-url", f"postgresql://u:{MARKER}@127.0.0.1:notaport/d"),
        ("up", "--help"),
    ],
)
def test_no_secret_is_ever_printed(flower: Run, arguments: list[str]) -> None:
    result = flower(*arguments, FLOWER_BROKER_TRANSPORT_OPTIONS=f'{{"x": "{MARKER}"}}')

    assert result.output
    assert MARKER not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_the_version_is_told(flower: Run) -> None:
    assert flower("version").output.startswith("flower 3.")


def test_celerys_door_imports_click_alone() -> None:
    program = f"import sys, flower_cli.commands; print([name for name in {HEAVY} if name in sys.modules])"

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout == "[]\n"


def test_celery_flower_lists_the_options(tmp_path: Path) -> None:
    (tmp_path / "proj.py").write_text(APP)

    answer = celery("-A", "proj", "flower", "--help", directory=tmp_path)

    assert answer.returncode == 0
    assert "--flush-after" in answer.stdout
    assert "FLOWER_DATABASE_URL" in answer.stdout


def test_celery_flower_refuses_unknown_options(tmp_path: Path) -> None:
    answer = celery("-b", f"redis://u:{MARKER}@h", "flower", "--prot", "1", directory=tmp_path)

    assert answer.returncode == 2
    assert "unknown option `--prot`, did you mean `--port`?" in answer.stderr
    assert MARKER not in answer.stdout + answer.stderr


def test_celery_flower_takes_the_app_and_the_broker_that_celery_was_given() -> None:
    parent = click.Context(click.Command("celery"))
    parent.params = {"app": "proj", "broker": "redis://h"}

    context = commands.flower.make_context("flower", ["--port", "1"], parent)

    assert (context.params["app"], context.params["broker"], context.params["port"]) == ("proj", "redis://h", "1")


def test_the_console_scripts_start() -> None:
    for script in ("flower", "flower-collector", "flower-api"):
        path = Path(sys.executable).with_name(script)
        answer = subprocess.run([path, "--help"], capture_output=True, text=True, check=True)

        assert f"Usage: {script}" in answer.stdout


@pytest.mark.parametrize("arguments", [("-h",), ("--help",), ("up", "-h")])
def test_help_has_a_short_name(flower: Run, arguments: tuple[str, ...]) -> None:
    result = flower(*arguments)

    assert result.exit_code == 0
    assert result.output.startswith("Usage: flower")
