"""Where values come from, which one wins, and what is refused."""

import math
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from flower_api.settings import ApiSettings
from flower_cli import configuration, errors, rooms
from flower_cli.configuration import Configuration
from flower_cli.given import Given, Reading
from flower_collector.settings import CollectorSettings
from flower_store.settings import StoreSettings

MARKER = "s3cret-marker"


def gathered(
    environ: Mapping[str, str], *, file: Path | None = None, flags: Mapping[str, str] | None = None
) -> Configuration:
    given = {name: Given(f"--{name}", value) for name, value in (flags or {}).items()}
    path = str(file) if file else None
    return configuration.gather(Reading(given), environ, file=path, known=rooms.known(), taken=rooms.known())


def toml(directory: Path, text: str) -> Path:
    path = directory / "flower.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("flag", "variable", "key", "port"),
    [
        ("1", "2", 3, 1),
        (None, "2", 3, 2),
        (None, None, 3, 3),
        (None, "", 3, 3),
        (None, None, None, 5555),
    ],
)
def test_the_flag_goes_before_the_variable_before_the_file_before_the_default(
    tmp_path: Path, flag: str | None, variable: str | None, key: int | None, port: int
) -> None:
    file = toml(tmp_path, "" if key is None else f"port = {key}")
    flags = {} if flag is None else {"port": flag}
    environ = {} if variable is None else {"FLOWER_PORT": variable}

    found = gathered(environ, file=file, flags=flags)

    assert found.settings(ApiSettings).port == port


def test_options_of_flower_2_for_its_metrics_have_their_form_and_units() -> None:
    found = gathered({"FLOWER_TASK_RUNTIME_METRIC_BUCKETS": "1,5,10,inf", "FLOWER_PURGE_OFFLINE_WORKERS": "300"})

    settings = found.settings(ApiSettings)
    assert settings.runtime_bounds == (1.0, 5.0, 10.0, math.inf)
    assert settings.purge_offline_workers == timedelta(minutes=5)
    assert not found.ignored


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    file = toml(tmp_path, 'flush_after = "5s"')

    found = gathered({"FLOWER_CONFIG": str(file)})

    assert found.settings(CollectorSettings).flush_after == timedelta(seconds=5)


@pytest.mark.parametrize("word", ["y", "YES", "t", "True", "on", "1"])
def test_words_for_true(word: str) -> None:
    assert gathered({"FLOWER_DEBUG": word}).settings(ApiSettings).debug is True


@pytest.mark.parametrize("word", ["n", "no", "F", "false", "off", "0"])
def test_words_for_false(word: str) -> None:
    assert gathered({"FLOWER_ENABLE_EVENTS": word}).settings(CollectorSettings).enable_events is False


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("5s", timedelta(seconds=5)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("1.5", timedelta(seconds=1.5)),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    assert gathered({"FLOWER_HOLD_FOR": text}).settings(CollectorSettings).hold_for == duration


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("FLOWER_DEBUG", "banana", "must be true or false"),
        ("FLOWER_PORT", "http", "must be a whole number"),
        ("FLOWER_RATE", "many", "must be a number"),
        ("FLOWER_FLUSH_AFTER", "5 parsecs", "must be a duration such as 250ms"),
        ("FLOWER_FLUSH_AFTER", "9" * 30 + "d", "must be shorter"),
        ("FLOWER_INSPECT_TIMEOUT", "1000", "write 1000ms"),
        ("FLOWER_REDACT", " , ", "must have something between its commas"),
    ],
)
def test_an_error_names_field_value_source_and_rule(variable: str, value: str, rule: str) -> None:
    with pytest.raises(errors.Refused) as refused:
        gathered({variable: value})

    field = variable.removeprefix("FLOWER_").lower()
    assert refused.value.message.startswith(f"{field}: `{value}` from {variable}: ")
    assert rule in refused.value.message


def test_a_rule_of_a_room_is_told_in_the_same_form() -> None:
    found = gathered({"FLOWER_PORT": "70000"})

    with pytest.raises(errors.Refused, match="port: `70000` from FLOWER_PORT: must be from 0 to 65535"):
        found.settings(ApiSettings)


def test_a_rule_that_names_another_setting_names_its_option_and_variable() -> None:
    found = gathered({"FLOWER_ADDRESS": "0.0.0.0"})

    with pytest.raises(
        errors.Refused, match=r", or turn on --unauthenticated-api \(FLOWER_UNAUTHENTICATED_API\) to let"
    ):
        found.settings(ApiSettings)


def test_help_names_other_settings_as_options_and_leaves_celerys_own_alone() -> None:
    known = rooms.known()

    assert known["address"].help.endswith("needs a login or --unauthenticated-api.")
    assert known["event_exchange"].help.startswith("Celery's event_exchange;")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("flush_afer = '5s'", "unknown key `flush_afer` in .*, did you mean `flush_after`?"),
        ("[collector]\nflush_after = '5s'", "settings stand at the top of the file"),
        ("port = 'x", "is not TOML"),
        ("port = true", "port: `true` from `port` in .*: must be a whole number"),
        ("debug = 1", "must be true or false"),
        ("cluster = 5", "must be a string"),
    ],
)
def test_a_file_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(errors.Refused, match=sentence):
        gathered({}, file=toml(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.Refused, match="cannot be read: No such file"):
        gathered({}, file=tmp_path / "none.toml")


def test_an_unknown_variable_is_refused_with_a_guess() -> None:
    with pytest.raises(errors.Refused, match=r"unknown variable `FLOWER_PROT`, did you mean `FLOWER_PORT`\?"):
        gathered({"FLOWER_PROT": "5555"})


@pytest.mark.parametrize("port", ["tcp://10.0.0.1:5555", "udp://10.0.0.1:5555"])
def test_a_port_that_kubernetes_injects_is_ignored_with_a_warning(port: str) -> None:
    found = gathered({"FLOWER_PORT": port})

    assert found.settings(ApiSettings).port == 5555
    assert [one.source for one in found.ignored] == ["FLOWER_PORT"]


def test_other_variables_that_kubernetes_injects_are_ignored_in_silence() -> None:
    found = gathered(
        {
            "FLOWER_SERVICE_HOST": "10.0.0.1",
            "FLOWER_SERVICE_PORT": "5555",
            "FLOWER_SERVICE_PORT_HTTP": "5555",
            "FLOWER_PORT_5555_TCP": "tcp://10.0.0.1:5555",
            "FLOWER_PORT_5555_TCP_ADDR": "10.0.0.1",
            "FLOWER_WEB_PORT": "tcp://10.0.0.2:80",
            "FLOWER_WEB_SERVICE_HOST": "10.0.0.2",
        }
    )

    assert not found.given
    assert not found.ignored


def test_what_flower_2_had_and_this_build_has_not_is_ignored_with_a_warning(tmp_path: Path) -> None:
    found = gathered({"FLOWER_NATURAL_TIME": "true"}, file=toml(tmp_path, "max_tasks = 5"))

    assert {one.name for one in found.ignored} == {"natural_time", "max_tasks"}


def test_celerys_own_variables_are_read_and_ours_win() -> None:
    celerys = gathered({"CELERY_BROKER_URL": "redis://celery"}).settings(CollectorSettings)
    ours = gathered({"CELERY_BROKER_URL": "redis://celery", "FLOWER_BROKER": "redis://ours"}).settings(
        CollectorSettings
    )

    assert (celerys.broker, ours.broker) == ("redis://celery", "redis://ours")


def test_a_secret_may_come_from_a_file_without_the_newline_at_its_end(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://db/flower\n")

    found = gathered({"FLOWER_DATABASE_URL_FILE": str(secret)})
    in_file = gathered({}, file=toml(tmp_path, f"database_url_file = '{secret}'"))

    assert found.settings(StoreSettings).database_url == "postgresql://db/flower"
    assert in_file.settings(StoreSettings).database_url == "postgresql://db/flower"


def test_a_secret_given_twice_by_one_source_is_refused() -> None:
    with pytest.raises(errors.Refused, match="given twice, by FLOWER_DATABASE_URL and FLOWER_DATABASE_URL_FILE"):
        gathered({"FLOWER_DATABASE_URL": "postgresql://a", "FLOWER_DATABASE_URL_FILE": __file__})


def test_what_is_no_secret_does_not_come_from_a_file() -> None:
    with pytest.raises(errors.Refused, match="unknown variable `FLOWER_PORT_FILE`"):
        gathered({"FLOWER_PORT_FILE": __file__})


@pytest.mark.parametrize("value", [MARKER, f"mysql://u:{MARKER}@h", f"postgresql://u:{MARKER}@[h"])
def test_an_error_about_a_secret_does_not_tell_it(value: str) -> None:
    found = gathered({"FLOWER_DATABASE_URL": value})

    message = ""
    try:
        found.settings(StoreSettings)
    except errors.Refused as refused:
        message = refused.message

    assert MARKER not in message
    assert MARKER not in repr(found.given)


def test_variables_give_another_process_the_same_settings() -> None:
    environ = {
        "FLOWER_FLUSH_AFTER": "1.5",
        "FLOWER_ENABLE_EVENTS": "no",
        "FLOWER_BROKER": "redis://h",
        "FLOWER_BATCH_SIZE": "7",
    }
    settings = gathered(environ).settings(CollectorSettings)

    passed_on = gathered(gathered(environ).variables(CollectorSettings))

    assert passed_on.settings(CollectorSettings) == settings
    assert settings.flush_after == timedelta(seconds=1.5)


def test_passwords_of_users_are_masked_one_by_one() -> None:
    found = gathered({"FLOWER_BASIC_AUTH": f"alice:{MARKER},bob:other-pass"})

    assert MARKER not in found.mask(f"login of alice with {MARKER}")
    assert found.mask("other-pass") == "***"
    assert found.settings(ApiSettings).basic_auth == (f"alice:{MARKER}", "bob:other-pass")
