"""Reports: one task of nearly a minute that tells its progress, and figures that are added up from parts."""

import time

from flower_cli.demo.app import running, task
from flower_cli.demo.failures import RecordMissing
from flower_cli.demo.fate import strikes, work

STEPS = 45


@task("reports.build_monthly")
def build_monthly(month: str) -> dict[str, object]:
    """Add up a month, a second a step, with an own event `task-progress` after each."""
    for step in range(1, STEPS + 1):
        time.sleep(1)
        running().send_event("task-progress", done=step, total=STEPS, message=f"{month}: table {step}")
    return {"month": month, "tables": STEPS}


@task("reports.count_region")
def count_region(region: str, day: int) -> int:
    """Count one region's sales of a day."""
    work(day, shortest=0.02, longest=0.1)
    return len(region) * day


@task("reports.add_up")
def add_up(day: int) -> str:
    """Put the regions together."""
    work(day, shortest=0.01, longest=0.04)
    return f"day {day} closed"


@task("reports.render_page")
def render_page(page_id: int, title: str, body: str) -> str:
    """Make a page of what people typed, markup and all."""
    work(page_id, shortest=0.01, longest=0.05)
    if strikes(page_id, one_in=17, salt=6):
        raise RecordMissing(f"template of page {page_id} not found for <h1>{title}</h1>")
    return f"<article><h1>{title}</h1>{body}</article>"
