"""The suite itself: each fault that once lost or doubled events is put back into a copy, and a named test sees it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.faults.access_mutations import WEAKENED
from tests.services.workers import ROOMS, ROOT

pytestmark = pytest.mark.faults

AMQP = "collector/flower_collector/receivers/amqp.py"
QUEUE = "collector/flower_collector/receivers/queue.py"
FAILED = 1
"""pytest's exit status when tests ran and some failed; an error on the way there is another."""


@dataclass(frozen=True, slots=True)
class Mutation:
    file: str
    old: str
    new: str
    test: str


MUTATIONS = {
    **{name: Mutation(*weakened) for name, weakened in WEAKENED.items()},
    "no acknowledgements": Mutation(
        AMQP,
        "basic_consume(self._queue.name, ",
        "basic_consume(self._queue.name, no_ack=True, ",
        "tests/collector/test_rabbitmq.py::test_no_message_is_acknowledged_before_it_is_committed",
    ),
    "acknowledged before the commit": Mutation(
        "collector/flower_collector/writer.py",
        "        if not self._until_done(lambda: self._write(batch), ",
        "        batch.done()\n        if not self._until_done(lambda: self._write(batch), ",
        "tests/collector/test_rabbitmq.py::test_no_message_is_acknowledged_before_it_is_committed",
    ),
    "receipts in the order of the commits": Mutation(
        "collector/flower_collector/handover.py",
        "            while self._under_way and (first := self._under_way[0]).committed is not None:\n"
        "                self._under_way.popleft()\n"
        "                if first.committed:\n"
        "                    first.done()\n",
        "            if committed:\n                batch.done()\n",
        "tests/collector/test_handover.py::test_receipts_go_out_in_the_order_of_the_stream",
    ),
    "no quorum queue": Mutation(
        QUEUE,
        '"x-queue-type": "quorum"',
        '"x-queue-type": "classic"',
        "tests/collector/test_rabbitmq.py::test_the_queue_outlives_collectors_and_brokers_and_is_bounded",
    ),
    "no delivery limit": Mutation(
        QUEUE,
        ', "x-delivery-limit": DELIVERY_LIMIT',
        "",
        "tests/collector/test_rabbitmq.py::test_the_queue_outlives_collectors_and_brokers_and_is_bounded",
    ),
    "a queue that the documented rights do not cover": Mutation(
        "collector/flower_collector/receivers/overflow.py",
        'return f"{queue}.dropped"',
        'return f"dropped.{queue}"',
        "tests/collector/test_least_rights.py::test_a_user_with_the_documented_rights_counts_what_the_broker_drops",
    ),
    "a drop acknowledged before its gap is committed": Mutation(
        "collector/flower_collector/receivers/overflow.py",
        "if noted is not None and noted.is_recorded:",
        "if noted is not None:",
        "tests/collector/test_overflow.py::test_no_drop_is_acknowledged_before_its_gap_is_committed",
    ),
    "a gap without an identity": Mutation(
        "store/flower_store/writes.py",
        '"since_stored": since_stored, "identity": identity,',
        '"since_stored": since_stored, "identity": None,',
        "tests/faults/test_gaps_survive.py::test_an_overflow_that_was_committed_and_not_acknowledged_is_counted_once",
    ),
    "a hole stepped over before its gap is committed": Mutation(
        "collector/flower_collector/receivers/stream.py",
        "        if not recorded.wait(RECEIPT_WAIT.total_seconds()):\n            return True\n",
        "",
        "tests/faults/test_gaps_survive.py"
        "::test_a_trimmed_stream_is_counted_though_its_collector_is_killed_without_a_database",
    ),
    "a gap that waits for a beat": Mutation(
        "collector/flower_collector/duties.py",
        "            if self._noted.urgent:\n",
        "            if False:\n",
        "tests/collector/test_duties.py"
        "::test_a_gap_that_a_kill_would_hide_is_recorded_at_once_and_its_finder_hears_of_the_commit",
    ),
    "tasks locked in any order": Mutation(
        "store/flower_store/merge.py",
        " FROM {_INCOMING} ORDER BY key ",
        " FROM {_INCOMING} ",
        "tests/store/test_contention.py::test_they_wait_for_each_other_and_never_for_ever",
    ),
    "counted at each delivery": Mutation(
        "store/flower_store/batch.py",
        "            if mark in known:\n                continue\n",
        "",
        "tests/store/test_writes.py::test_a_batch_written_again_changes_nothing_and_counts_nothing_twice",
    ),
    "the UTC offset applied": Mutation(
        "collector/flower_collector/decoder.py",
        '    at = _time(fields.pop("timestamp", None), received)\n',
        '    at = _time(float(fields.pop("timestamp")) + 3600 * float(fields.get("utcoffset") or 0), received)\n',
        "tests/collector/test_gate.py::test_times_are_the_sender_s_and_its_utc_offset_is_never_applied",
    ),
    "compressed bodies read": Mutation(
        "collector/flower_collector/gate.py",
        "    if message.compression:\n",
        "    if message.compression and not message.body:\n",
        "tests/collector/test_gate.py::test_only_json_is_read",
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree, with the servers of the tests. A document says which rights are enough."""
    tree = tmp_path / "tree"
    ignored = shutil.ignore_patterns("node_modules", "__pycache__", ".*")
    for name in (*ROOMS, "tests", "bench", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tree)
    (tree / ".cache").mkdir()
    (tree / ".cache/services").symlink_to(ROOT / ".cache/services")
    return tree


def test_the_named_tests_pass_while_nothing_is_changed(copy: Path) -> None:
    ran = _run(copy, sorted({mutation.test for mutation in MUTATIONS.values()}))

    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_fault_that_is_put_back_is_seen(name: str, copy: Path) -> None:
    mutation = MUTATIONS[name]
    file = copy / mutation.file
    text = file.read_text()
    assert text.count(mutation.old) == 1, f"{mutation.file} has changed: say here what the fault would be now"
    file.write_text(text.replace(mutation.old, mutation.new))

    ran = _run(copy, [mutation.test])

    assert ran.returncode == FAILED, ran.stdout


def _run(tree: Path, tests: Iterable[str]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, (tree, *(tree / room for room in ROOMS))))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tree}", *tests]
    # `env`: only cli/ and tests/services read the environment.
    ran = subprocess.run(["env", f"PYTHONPATH={path}", *command], cwd=tree, capture_output=True, text=True, check=False)
    if " skipped" in ran.stdout:
        pytest.skip("a server that the named tests need is not here")
    return ran
