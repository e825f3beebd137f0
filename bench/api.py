"""How long the API takes to answer, on 1 and 10 million tasks: every list, filter, search, statistic; beside Flower 2.

`./run bench-api`. The store is filled by SQL (`stage/filled.py`); a real API process is asked by one client that waits
for each answer. Times are the server's own (`Server-Timing`); beside Flower 2, which tells none, the client's. The plan
of every statement, by EXPLAIN (ANALYZE, BUFFERS), is written to `results/`.
"""

import time
from collections.abc import Sequence

import psycopg

from bench.load import content
from bench.load.sender import Sender
from bench.load.traffic import Traffic
from bench.stage import asking, filled, flower2, ours, plans, report, scraped, servers, shapes
from bench.stage.asking import Client, Times
from bench.stage.options import Options
from bench.stage.report import Report
from bench.stage.shapes import Shape
from flower_api.metrics import scrape

PAGE = 200
REQUESTS_A_SECOND = 300
FILL_RATE = 3_000.0
FLOWER = "Flower 2.2.0"
SCRAPED = ((1_000, 200), (50, 40))
"""Workers and tasks that each of them runs: past the bound on series, and just below it."""
SCRAPE_AIM = 50.0
"""Milliseconds."""
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def main(options: Options) -> None:
    told = Report("api", options)
    sizes = options.choose(quick=(100_000,), medium=(1_000_000,), full=(1_000_000, 10_000_000))
    if options.flower2:
        _flower2(told, options)
    with servers.postgres() as postgres:
        for workers, names in SCRAPED:
            with servers.database(postgres) as database:
                scraped.fill(database, workers=workers, names=names)
                _scrapes(told, options, database, f"{workers:,} workers x {names} tasks")
        for size in sizes:
            if not filled.fits(size):
                told.note(f"not enough disk for {size:,} tasks")
                break
            with servers.database(postgres) as database:
                filled.fill(database, size)
                _ours(told, options, database, size)
    told.finish()


def _scrapes(told: Report, options: Options, database: str, name: str) -> None:
    """Scrapes of which none finds the answer of the one before; the first of all is not counted."""
    with ours.api(database) as api, psycopg.connect(database, autocommit=True) as connection:
        client = Client(api.port)
        body = _scrape(client)[1]
        processes = [api.process.pid, *(row[0] for row in connection.execute(BACKENDS))]
        used = sum(map(asking.cpu, processes))
        found = [_scrape(client)[0] for _ in range(options.choose(quick=5, medium=20, full=40))]
        used = sum(map(asking.cpu, processes)) - used
        client.close()
    print(
        f"  ({name}: {body.count(b'# TYPE')} families, {body.count(bytes([10])):,} lines, {len(body):,} bytes)",
        flush=True,
    )
    worst = asking.percentile(found, 0.95)
    told.add(f"scrape, {name} p50", asking.percentile(found, 0.5), unit="ms")
    told.add(f"scrape, {name} p95", worst, unit="ms")
    told.add(f"scrape, {name}, CPU of the API and PostgreSQL", used / len(found) * 1_000, unit="ms")
    if worst > SCRAPE_AIM:
        told.note(f"missed: scrape, {name}: p95 {worst:.0f} ms, aim {SCRAPE_AIM:.0f}")


def _scrape(client: Client) -> tuple[float, bytes]:
    """The server's milliseconds, and the answer; the next one is made anew."""
    status, timing, body = client.get("/metrics")
    if status != 200:
        raise RuntimeError(f"/metrics is answered with {status}")
    time.sleep(scrape.KEPT + 0.05)
    return asking.milliseconds(timing), body


def _flower2(told: Report, options: Options) -> None:
    tasks = options.choose(quick=10_000, medium=flower2.DEFAULT_TASKS, full=flower2.DEFAULT_TASKS)
    told.note(f"{FLOWER} holds {tasks:,} tasks")
    variables = {"FLOWER_UNAUTHENTICATED_API": "true"}
    with servers.rabbit() as node, servers.vhost(node) as url, flower2.running(url, variables=variables) as flower:
        Sender(url, Traffic(tasks=tasks, start=time.time(), rate=FILL_RATE / 4.2), rate=FILL_RATE).send()
        flower.settled()
        client = Client(flower.port)
        found = client.document("/api/tasks?limit=100")
        workers = sorted({str(one["worker"]) for one in found.values() if "worker" in one})
        for shape in shapes.flowers(list(found)[::5], content.NAMES[:10], workers):
            _add(told, f"{FLOWER}: {shape.name}", _times(client, options, shape))
        client.close()


def _ours(told: Report, options: Options, database: str, size: int) -> None:
    ids = [filled.task_id(number) for number in range(7, size, size // 20)]
    native, shared = shapes.native(size), shapes.flowers(ids, filled.NAMES[:10], filled.WORKERS)
    with ours.api(database) as api:
        client = Client(api.port)
        native.insert(1, Shape(f"page {PAGE}", [f"{shapes.NATIVE}/tasks?after={_cursor(client, PAGE)}"]))
        for shape in (*native, *shared):
            found = _times(client, options, shape)
            name = f"{size:,}: {shape.name}"
            _add(told, name, found, of=(f"{FLOWER}: {shape.name}, client",) if shape in shared else ())
            assert found.server is not None
            worst = asking.percentile(found.server, 0.95)
            if shape.aim is not None and worst > shape.aim:
                told.note(f"missed: {name} p95 {worst:.0f} ms, aim {shape.aim:.0f}")
        client.close()
        seconds = options.choose(quick=3.0, medium=10.0, full=10.0)
        for _ in range(options.runs):
            rate = asking.rate(api.port, api.process.pid, native[0].paths[0], connections=8, seconds=seconds)
            told.add(f"{size:,}: lists of 50 a second", rate.wall, unit="requests/s")
            told.add(f"{size:,}: lists of 50 a second of its CPU", rate.cpu, unit="requests/s")
        if told.median(f"{size:,}: lists of 50 a second of its CPU") < REQUESTS_A_SECOND:
            told.note(f"missed: {size:,}: {REQUESTS_A_SECOND} requests/s of one core")
    _plans(size, database, [*native, *shared])


def _times(client: Client, options: Options, shape: Shape) -> Times:
    requests = options.choose(quick=20, medium=100, full=200)
    found = client.times(shape.paths, requests=requests, seconds=options.choose(quick=1.0, medium=4.0, full=10.0))
    if found.statuses != frozenset({200}):
        raise RuntimeError(f"{shape.name}: answered with {sorted(found.statuses)}")
    return found


def _add(told: Report, name: str, found: Times, *, of: Sequence[str] = ()) -> None:
    for share, label in ((0.5, "p50"), (0.95, "p95")):
        if found.server is not None:
            told.add(f"{name} {label}", asking.percentile(found.server, share), unit="ms")
    told.add(f"{name}, client", asking.percentile(found.client, 0.5), unit="ms", of=of)


def _cursor(client: Client, page: int) -> str:
    """Behind the last task of the page before."""
    after = ""
    for _ in range(page - 1):
        found = client.document(f"{shapes.NATIVE}/tasks?fields=id{after and f'&after={after}'}")
        after = str(found["next"])
    return after


def _plans(size: int, database: str, asked: Sequence[Shape]) -> None:
    found = plans.plans(database, asked)
    report.RESULTS.mkdir(exist_ok=True)
    (report.RESULTS / f"api-plans-{size}.txt").write_text("\n".join(map(str, found)))
    for plan in plans.worth_telling(found):
        print(f"  {plan.shape}: {plan.milliseconds:.1f} ms, {plan.pages:,} pages: {', '.join(plan.scans)}")
