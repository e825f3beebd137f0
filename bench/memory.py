"""Resident memory after 100 thousand and after 2 million tasks: our collector, and Flower 2 told to keep them all.

Flower keeps tasks in memory, we keep them in PostgreSQL: ours must not grow. Flower is fed at a rate that it can take.
"""

import time

from bench.load.sender import Sender
from bench.load.traffic import Traffic
from bench.stage import flower2, ours, servers
from bench.stage.options import Options
from bench.stage.report import Report

MEGABYTE = 1_000_000
FLOWERS_RATE = 2_000.0
AT_ONCE = 100_000
"""Tasks that are sent before what came of them is waited for: RabbitMQ stops its publishers at too large a backlog."""


def main(options: Options) -> None:
    report = Report("memory", options)
    marks = options.choose(quick=(1_000, 5_000), medium=(10_000, 40_000), full=(100_000, 2_000_000))
    with servers.rabbit() as node:
        with servers.postgres() as postgres, servers.database(postgres) as database, servers.vhost(node) as url:
            _ours(report, url, database, marks)
        if options.flower2:
            with servers.vhost(node) as url, flower2.running(url, max_tasks=2 * marks[-1]) as flower:
                _flower2(report, url, flower, marks)
    report.finish()


def _ours(report: Report, url: str, database: str, marks: tuple[int, ...]) -> None:
    """One collector for all marks: what it gathers, it keeps."""
    commits = ours.Commits(database)
    expected = 0
    with ours.collector(url, database) as collector:
        for before, mark in zip((0, *marks), marks, strict=False):
            for begun in range(before, mark, AT_ONCE):
                expected += Sender(url, _traffic(begun, min(mark, begun + AT_ONCE))).send().task_events
                found = commits.wait(expected)
                if found.events < expected:
                    report.note(f"ours had {found.events:,} of {expected:,} events")
            report.add(f"ours, {mark:,} tasks", collector.resident / MEGABYTE, unit="MB", of=_first("ours", marks))
    commits.close()


def _flower2(report: Report, url: str, flower: flower2.Flower2, marks: tuple[int, ...]) -> None:
    for before, mark in zip((0, *marks), marks, strict=False):
        Sender(url, _traffic(before, mark), rate=FLOWERS_RATE).send()
        flower.settled()
        report.add(f"Flower, {mark:,} tasks", flower.resident / MEGABYTE, unit="MB", of=(f"ours, {mark:,} tasks",))


def _first(name: str, marks: tuple[int, ...]) -> tuple[str, ...]:
    return (f"{name}, {marks[0]:,} tasks",)


def _traffic(before: int, mark: int) -> Traffic:
    tasks = mark - before
    return Traffic(tasks=tasks, seed=mark, start=time.time() - tasks / 1_000)
