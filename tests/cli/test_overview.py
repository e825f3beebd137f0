"""`flower config` checks what it shows, by the rules of the rooms that will take it."""

import pytest
from tests.cli.conftest import Run

MARKER = "s3cret-marker"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--cluster", "Prod"), "cluster: `Prod` from --cluster: must be 1 to 63 lower-case letters"),
        (("--port", "70000"), "port: `70000` from --port: must be from 0 to 65535"),
        (("--rate", "0"), "rate: `0.0` from --rate: must be more than 0"),
        (("--log-level", "loud"), "log_level: `loud` from --log-level: must be one of"),
        (("--database-pool-size", "0"), "database_pool_size: `0` from --database-pool-size: must be"),
        (("--broker", f"redsi://u:{MARKER}@h"), "broker: (secret) from --broker: unknown transport `redsi`"),
        (("--database-url", f"postgresql://u:{MARKER}@h:port/d"), "database_url: (secret) from --database-url: "),
        (("--database-url", "postgresql://h/d?colour=red"), "database_url: (secret) from --database-url: "),
        (("--keyfile", "a.pem"), "keyfile: `a.pem` from --keyfile: is of no use without certfile"),
        (("--auth", ".*@example.com"), "auth: `.*@example.com` from --auth: lets nobody in and keeps nobody out"),
    ],
)
def test_what_a_room_would_refuse_is_shown_and_refused(flower: Run, arguments: tuple[str, ...], sentence: str) -> None:
    result = flower("config", *arguments)

    assert result.exit_code == 2
    assert "flush_after = 250ms  # default\n" in result.stdout
    assert result.stderr.startswith(f"flower: {sentence}")
    assert result.stderr.count("\n") == 1
    assert MARKER not in result.output


def test_what_no_room_refuses_ends_well(flower: Run) -> None:
    result = flower("config", "--cluster", "prod", "--broker", "redis://h", "--database-url", "postgresql://h/d")

    assert (result.exit_code, result.stderr) == (0, "")


def test_a_list_given_in_parts_counts_with_every_part(flower: Run) -> None:
    result = flower("config", "--redact", "password", "--redact", "token,api_key")

    assert "redact = password,token,api_key  # --redact\n" in result.stdout
