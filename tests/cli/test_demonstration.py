"""`flower demo` as a real process tree: a cluster at work, whose history outlives it."""

import json
import signal
from http import HTTPStatus
from pathlib import Path

import pytest
from tests.cli import trees
from tests.cli.terminal import Terminal
from tests.waiting import eventually

pytestmark = pytest.mark.slow

SENT = 20


def test_a_killed_demo_leaves_nobody_and_the_next_one_finds_its_history(directory: Path) -> None:
    with trees.running("demo", "--data-dir", "demo", directory=directory, RATE="50", FLOWER_STOP_TIMEOUT="5s") as first:
        first.until_up()
        eventually(lambda: len(first.tasks()) >= SENT)
        processes = first.processes()
        first.send(signal.SIGKILL)
        first.wait()
        eventually(trees.gone(processes), within=40)

    with trees.running("demo", "--data-dir", "demo", directory=directory, RATE="0.01") as second:
        second.until_up()
        found = len(second.tasks())
        workers = json.loads(second.get("/api/workers?status=true")[1])
        eventually(lambda: "shop.orders.ship" in second.get("/api/workers")[1])
        shipped = second.post("/api/task/apply/shop.orders.ship", {"args": [7], "timeout": 20})
        spooling = list((directory / "demo" / "spool").glob("*.spool"))
        processes = second.processes()
        second.send(signal.SIGINT)
        status = second.wait()

    assert status == 0
    assert trees.gone(processes)()
    assert found >= SENT
    assert json.loads(shipped[1])["result"] == "parcel 00217", "sent by its route, and its result was read"
    assert spooling, "the demo keeps everything in its directory"
    assert sorted(name.partition("@")[0] for name, online in workers.items() if online) == ["post", "shop", "studio"]


def test_a_demo_that_wants_a_login_on_a_terminal_that_is_closed_comes_up_and_leaves_nobody_and_nothing_temporary(
    directory: Path,
) -> None:
    terminal = Terminal()
    (directory / "temporary").mkdir()
    with trees.on_terminal(
        terminal,
        "demo",
        "--data-dir",
        "demo",
        directory=directory,
        TMPDIR=str(directory / "temporary"),
        FLOWER_BASIC_AUTH="alice:secret",
    ) as tree:
        tree.until_up()
        assert tree.get("/api/workers")[0] == HTTPStatus.UNAUTHORIZED
        processes = tree.processes()

        terminal.close()

        assert tree.wait() == 0
        assert trees.gone(processes)()
        assert not (directory / "demo" / "postgres" / "data" / "postmaster.pid").exists()
        assert not list((directory / "temporary").iterdir())
        assert not (directory / "demo" / "tmp").exists()


def test_a_second_demo_on_the_same_data_is_refused(directory: Path) -> None:
    with trees.running("demo", "--data-dir", "demo", directory=directory) as first:
        eventually(lambda: "starting PostgreSQL ... " in first.output)

        with trees.running("demo", "--data-dir", "demo", directory=directory) as second:
            status = second.wait()

        first.send(signal.SIGTERM)
        first_status = first.wait()

    assert (status, first_status) == (2, 0)
    assert "is in use by process" in second.output
    assert "Traceback" not in first.output
