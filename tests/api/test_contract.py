"""What the API's reference (OpenAPI) promises, asked by schemathesis: no answer differs from it, none is a 500."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.api import serving
from tests.waiting import PATIENT

from flower_store.factories import NOON, a_heartbeat, a_success, an_event
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

HERE = Path(__file__).parent
TASK = "0190aaaa-bbbb-4ccc-8ddd-eeeeffff0001"


@pytest.mark.slow
def test_no_answer_differs_from_the_reference(database_url: str, tmp_path: Path) -> None:
    store = StoreSettings(
        database_url=database_url, database_read_timeout=PATIENT
    )  # its own: commands are among what is asked
    writer = Writer(store, cluster="default")
    writer.connect()
    writer.ensure_partitions(NOON)
    writer.write(
        [
            *a_success(TASK, 0, name="app.mail"),
            an_event("received", 10, task_id="odd/id?", name="app.sync"),
            an_event("failed", 11, task_id="odd/id?", exception="E('1')"),
        ],
        [a_heartbeat(0, worker="celery@a", kind="online")],
    )
    writer.close()
    program, rules = str(Path(sys.executable).parent / "st"), str(HERE / "schemathesis.toml")
    options = ["--phases", "coverage,fuzzing", "--max-examples", "4", "--suppress-health-check", "all"]
    telling = ["--continue-on-failure", "--no-color"]

    with serving.running(store) as server:
        words = [program, "--config-file", rules, "run", f"{server.address}/api/openapi.json", *options, *telling]
        run = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)

    asked = re.search(r"(\d+) generated", run.stdout)
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
    assert asked is not None
    assert int(asked[1]) > 1_000
