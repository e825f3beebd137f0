"""How fast events become committed rows: ours against a bare kombu loop, a bare COPY and Flower 2.

On RabbitMQ everybody but Flower drains a backlog from a durable quorum queue at full speed; ours from the moment before
it was first seen ready to its last commit. The bare loop is kombu's own consumer, with our prefetch and an
acknowledgement for each message, and once more without acknowledgements. COPY writes the rows that ours wrote, as many
in one transaction, into a table without an index. Flower has no backlog: its rate is the highest offered one at which
it loses less than 0.1 %. On Redis, which keeps nothing, the stream is offered at full speed, and what counts is the
share that arrives and the rate at which it does.
"""

import time

from tests.services.rabbitmq import RabbitMQ

from bench.load.sender import Sender
from bench.load.traffic import Traffic
from bench.stage import backlog, bare_copy, flower_rate, loop, ours, servers
from bench.stage.options import Options
from bench.stage.report import Report
from flower_collector.receivers.choice import PREFETCHED_BATCHES
from flower_collector.settings import CollectorSettings

OURS, LOOP, NO_ACK, COPY = "ours", "kombu loop", "kombu loop, no ack", "COPY"
PREFETCH = CollectorSettings().batch_size * PREFETCHED_BATCHES


def main(options: Options) -> None:
    report = Report("ingest", options)
    tasks = options.choose(quick=5_000, medium=25_000, full=125_000)
    with servers.postgres() as postgres, servers.rabbit() as node:
        for number in range(options.runs):
            for contestant in (_ours, _loop, _loop_without_acknowledgements):
                contestant(report, node, postgres, _traffic(tasks, number))
        with servers.redis() as redis:
            for number in range(options.runs):
                _redis(report, redis, postgres, _traffic(tasks, number))
    if options.flower2:
        flower_rate.measure(report, options, of=OURS)
    report.finish()


def _traffic(tasks: int, number: int) -> Traffic:
    """Events of just now, as a backlog's are."""
    return Traffic(tasks=tasks, seed=number + 1, start=time.time() - tasks / 1_000)


def _ours(report: Report, node: RabbitMQ, postgres: str, traffic: Traffic) -> None:
    with backlog.filled(node, traffic) as full, servers.database(postgres) as database:
        commits = ours.Commits(database)
        with ours.collector(full.url, database) as collector:
            committed = commits.wait(full.sent.task_events)
        commits.close()
        _all(committed.events, full.sent.task_events)
        report.add(OURS, full.sent.events / (committed.at - collector.ready_at), of=(LOOP, NO_ACK, COPY))
        share = full.sent.task_events / full.sent.events
        report.add(COPY, bare_copy.rate(database) / share)


def _loop(report: Report, node: RabbitMQ, _: str, traffic: Traffic) -> None:
    _drain(report, node, traffic, LOOP, prefetch=PREFETCH)


def _loop_without_acknowledgements(report: Report, node: RabbitMQ, _: str, traffic: Traffic) -> None:
    _drain(report, node, traffic, NO_ACK, prefetch=0)


def _drain(report: Report, node: RabbitMQ, traffic: Traffic, name: str, *, prefetch: int) -> None:
    with backlog.filled(node, traffic) as full:
        with loop.running(full.url, queue=backlog.QUEUE, events=full.sent.events, prefetch=prefetch) as running:
            received = running.finish()
        _all(received.received, full.sent.events)
        report.add(name, received.received / (received.ended - received.began))


def _redis(report: Report, redis: str, postgres: str, traffic: Traffic) -> None:
    with servers.database(postgres) as database:
        commits = ours.Commits(database)
        with Sender(redis, traffic) as sender, ours.collector(redis, database):
            sender.begin()
            sent = sender.finish()
            committed = commits.wait(sent.task_events)
        commits.close()
    share = committed.events / sent.task_events
    report.add("ours on Redis", share * sent.events / (committed.at - sent.began), of=("kombu loop on Redis",))
    report.add("ours on Redis, share", 100 * share, unit="%")
    with Sender(redis, traffic) as sender, loop.running(redis, events=sent.events) as running:
        sender.begin()
        sent = sender.finish()
        received = running.finish()
    report.add("kombu loop on Redis", received.received / (received.ended - sent.began))
    report.add("kombu loop on Redis, share", 100 * received.received / sent.events, unit="%")


def _all(found: int, expected: int) -> None:
    if found != expected:
        raise RuntimeError(f"{found} of {expected} events arrived: the rest is lost, and a rate would say nothing")
