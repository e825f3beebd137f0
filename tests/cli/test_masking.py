"""No secret survives in a text, however it got there."""

import pytest

from flower_cli.masking import Mask

SECRET = "s3cret-marker"


@pytest.mark.parametrize(
    "text",
    [
        f"redis://:{SECRET}@host:6379/0",
        f"failed: amqp://user:{SECRET}@host//, retrying",
        f"two: redis://a:{SECRET}@h;redis://b:{SECRET}@i",
        f"with an at sign: amqp://user:p@{SECRET}@host/",
    ],
)
def test_passwords_of_urls_are_hidden_even_when_unknown(text: str) -> None:
    assert SECRET not in Mask()(text)


def test_the_rest_of_a_url_stays_readable() -> None:
    assert Mask()(f"redis://user:{SECRET}@host:6379/0") == "redis://user:***@host:6379/0"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (f"redis://u:{SECRET}@h", f"AUTH u {SECRET} failed"),
        ("redis://u:p%40ss%22word@h", 'the password p@ss"word is wrong'),
        ("redis://u:p%40ss%22word@h", r'{"password": "p@ss\"word"}'),
        (SECRET, f"token={SECRET}"),
        (f'{{"sentinel_kwargs": {{"password": "{SECRET}"}}}}', f"sentinel: {SECRET}"),
        (f"postgresql://h/db?user=u&password={SECRET}", f"login with {SECRET}"),
    ],
)
def test_values_of_secret_settings_are_hidden_where_they_stand_alone(given: str, text: str) -> None:
    masked = Mask([given])(text)

    assert "***" in masked
    assert SECRET not in masked
    assert "word" not in masked or "password" in masked


def test_a_broker_without_a_password_stays_readable() -> None:
    assert Mask(["redis://localhost:6379/0"])("to redis://localhost:6379/0") == "to redis://localhost:6379/0"
