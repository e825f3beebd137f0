"""What arrives of a burst: the share of events in the store, and the time to catch up; Flower 2 beside it.

A million task events and their heartbeats are published to RabbitMQ at full speed while the reader runs. The time to
catch up is from the last event published to the last one committed (ours) or counted (Flower).
"""

import time

from tests.services.rabbitmq import RabbitMQ

from bench.load.sender import Sender
from bench.load.traffic import Traffic
from bench.stage import flower2, ours, servers
from bench.stage.options import Options
from bench.stage.report import Report


def main(options: Options) -> None:
    report = Report("delivered", options)
    tasks = options.choose(quick=2_500, medium=25_000, full=240_000)
    with servers.postgres() as postgres, servers.rabbit() as node:
        for number in range(options.runs):
            traffic = Traffic(tasks=tasks, seed=number + 1, start=time.time() - tasks / 1_000)
            _ours(report, node, postgres, traffic)
            if options.flower2:
                _flower2(report, node, traffic)
    report.finish()


def _ours(report: Report, node: RabbitMQ, postgres: str, traffic: Traffic) -> None:
    with servers.vhost(node) as url, servers.database(postgres) as database:
        commits = ours.Commits(database)
        with ours.collector(url, database):
            sent = Sender(url, traffic).send()
            committed = commits.wait(sent.task_events)
        commits.close()
    report.add("offered", sent.rate)
    report.add("ours", 100 * committed.events / sent.task_events, unit="% delivered")
    report.add("ours, to catch up", max(0.0, committed.at - sent.ended), unit="s")


def _flower2(report: Report, node: RabbitMQ, traffic: Traffic) -> None:
    with servers.vhost(node) as url, flower2.running(url) as flower:
        before = flower.settled()
        sent = Sender(url, traffic).send()
        found = flower.settled() - before
        caught_up = time.time() - flower2.SETTLED - sent.ended
    report.add("Flower", 100 * found / sent.task_events, unit="% delivered")
    report.add("Flower, to catch up", max(0.0, caught_up), unit="s")
