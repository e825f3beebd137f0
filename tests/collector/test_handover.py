"""The place between opening and writing: one batch, in order, and nobody waits for ever."""

import threading

from flower_collector.batcher import Batch
from flower_collector.handover import Handover
from flower_collector.message import Unacknowledged
from flower_collector.receivers.session import Session


def a_batch(origin: Session | Unacknowledged | None = None) -> Batch:
    return Batch(receipts={origin or Unacknowledged(): 1}, messages=1)


def test_batches_are_taken_in_the_order_in_which_they_are_given() -> None:
    handover = Handover()
    given = [a_batch() for _ in range(50)]

    def give() -> None:
        for batch in given:
            assert handover.give(batch)
        handover.close()

    giving = threading.Thread(target=give)
    giving.start()
    taken = list(iter(handover.take, None))
    giving.join()

    assert list(map(id, taken)) == list(map(id, given))


def test_the_second_one_waits_until_the_first_is_taken() -> None:
    handover = Handover()
    handover.give(a_batch())
    second = threading.Thread(target=handover.give, args=(a_batch(),))
    second.start()

    second.join(0.2)
    assert second.is_alive()

    handover.take()
    second.join(5)
    assert not second.is_alive()


def test_what_was_given_before_the_end_is_taken_after_it() -> None:
    handover = Handover()
    handover.give(a_batch())
    handover.close()

    before = handover.drained
    taken = [handover.take(), handover.take()]

    assert not before
    assert [batch is not None for batch in taken] == [True, False]
    assert handover.drained


def test_who_gives_hears_that_nobody_takes_any_more() -> None:
    handover = Handover()
    handover.give(a_batch())
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(handover.give(a_batch())))
    waiting.start()

    handover.refuse()
    waiting.join(5)

    assert answers == [False]


def test_a_batch_that_was_given_back_is_waited_for_by_nobody() -> None:
    session = Session()
    handover = Handover()
    handover.give(a_batch(session))
    handover.close()

    session.close()

    assert handover.drained


def under_way(handover: Handover, session: Session, tag: int) -> Batch:
    handover.give(Batch(receipts={session: tag}, messages=1))
    batch = handover.take()
    assert batch is not None
    return batch


def test_receipts_go_out_in_the_order_of_the_stream() -> None:
    handover, session = Handover(), Session()
    first, second, third = (under_way(handover, session, tag) for tag in (1, 2, 3))

    due = []
    for batch in (second, first, third):
        handover.settle(batch, committed=True)
        due.append(session.due())

    assert due == [None, 2, 3]


def test_what_was_given_back_holds_no_later_receipt_back_and_sends_none() -> None:
    handover, gone, session = Handover(), Session(), Session()
    first, second = under_way(handover, gone, 7), under_way(handover, session, 1)

    handover.settle(second, committed=True)
    handover.settle(first, committed=False)

    assert (gone.due(), session.due()) == (None, 1)
