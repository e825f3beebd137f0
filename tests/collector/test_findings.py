"""What is wrong with the way of events is told once, is visible while it lasts, and is unsaid."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from tests.collector.messages import NOON

from flower_collector.findings import Findings
from flower_collector.metrics import Metrics
from flower_collector.probe import Echo, Probe
from flower_collector.returns import UNANSWERED, Returns
from flower_store import findings
from flower_store.findings import FindingRecord

OURS, ANOTHERS = UUID(int=1), UUID(int=2)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def found(metrics: Metrics) -> Findings:
    return Findings(metrics, now=lambda: NOON)


def shown(metrics: Metrics, kind: str) -> float | None:
    return metrics.registry.get_sample_value("flower_collector_findings", {"kind": kind})


def test_a_finding_is_logged_once_and_shown_until_it_is_over(found: Findings, metrics: Metrics) -> None:
    with capture_logs() as logged:
        for sentence in ("One.", "One.", "Two."):
            found.tell(findings.PROBE_LOST, sentence)
        told, during = found.told(), shown(metrics, findings.PROBE_LOST)
        for _ in range(2):
            found.clear(findings.PROBE_LOST)

    assert told == (FindingRecord(findings.PROBE_LOST, "Two.", NOON),)
    assert [entry["event"] for entry in logged] == ["finding", "finding over"]
    assert (during, shown(metrics, findings.PROBE_LOST), found.told()) == (1, 0, ())


def test_each_kind_is_among_the_metrics_from_the_start(found: Findings, metrics: Metrics) -> None:
    assert [shown(metrics, kind) for kind in findings.KINDS] == [0] * len(findings.KINDS)
    assert found.told() == ()


def test_findings_pass_the_store_s_door_unchanged() -> None:
    records = (FindingRecord("a", "B.", NOON), FindingRecord("c", "D.", NOON + timedelta(microseconds=1)))

    assert findings.records(findings.documents(records)) == records


class Settled:
    """Whether broker and database answer."""

    def __init__(self) -> None:
        self.yes = True

    def __call__(self) -> bool:
        return self.yes


@pytest.fixture
def settled() -> Settled:
    return Settled()


@pytest.fixture
def returns(found: Findings, settled: Settled) -> Returns:
    return Returns(found, instance=OURS, settled=settled)


def send(returns: Returns, number: int) -> None:
    for _ in range(number):
        returns.sending()


def echo(instance: UUID, at: datetime = NOON) -> Echo:
    return Echo(Probe(hostname="a", instance=instance, cluster="default", sequence=1, sent_at=at), at)


def test_ten_probes_that_do_not_come_back_are_told_when_the_next_is_sent(found: Findings, returns: Returns) -> None:
    send(returns, UNANSWERED)
    before = found.told()
    send(returns, 1)

    assert before == ()
    assert [one.kind for one in found.told()] == [findings.PROBE_LOST]


def test_one_that_comes_back_unsays_it(found: Findings, returns: Returns) -> None:
    send(returns, UNANSWERED + 1)

    returns.heard(echo(OURS))
    send(returns, UNANSWERED)

    assert found.told() == ()


def test_another_collector_s_probe_is_no_answer(found: Findings, returns: Returns) -> None:
    for _ in range(UNANSWERED + 1):
        returns.sending()
        returns.heard(echo(ANOTHERS))

    assert [one.kind for one in found.told()] == [findings.PROBE_LOST]


def test_what_cannot_come_back_for_want_of_broker_or_database_is_not_waited_for(
    found: Findings, returns: Returns, settled: Settled
) -> None:
    settled.yes = False
    send(returns, 100)
    settled.yes = True
    send(returns, UNANSWERED - 1)

    assert found.told() == ()
