"""What the opening thread does with a batch before it gives it on."""

from datetime import timedelta

import pytest
from tests.collector.messages import body, message

from flower_collector.arrivals import Arrivals
from flower_collector.batcher import Batch, Batcher
from flower_collector.buffer import Buffer
from flower_collector.handover import Handover
from flower_collector.metrics import Metrics
from flower_collector.probe import Echoes
from flower_collector.pump import Pump
from flower_collector.writer import Totals
from flower_store import fold


def given_on() -> Batch:
    """The batch that becomes of one message."""
    buffer, handover = Buffer(messages=10, size=10_000), Handover()
    buffer.put(message(body()))
    buffer.close()
    batcher = Batcher(size=10, flush_after=timedelta(seconds=1), clock=lambda: 0.0)
    pump = Pump(
        buffer, batcher, handover, totals=Totals(), metrics=Metrics(), arrivals=Arrivals(), echoes=Echoes()
    )  # fmt: skip
    pump.start()
    batch = handover.take()
    pump.join(timeout=30)
    assert batch is not None
    assert not pump.is_alive()
    return batch


def test_a_batch_is_given_on_folded() -> None:
    batch = given_on()

    assert batch.folded is not None
    assert list(batch.folded) == [event.task_id for event in batch.tasks]


def test_a_batch_that_cannot_be_folded_is_given_on_to_who_sets_aside_what_is_to_blame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(_: object) -> None:
        raise ValueError("a value that nobody thought of")

    monkeypatch.setattr(fold, "fold", fails)

    batch = given_on()

    assert batch.folded is None
    assert len(batch.tasks) == 1
