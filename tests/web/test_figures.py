"""The six figures of the overview: what they tell, and what they say that they do not."""

from collections.abc import Mapping

import pytest

from flower_store.reads.series import SAMPLE
from flower_store.records import Count, Figures, Percentiles
from flower_web import figures
from flower_web.addresses import Addresses
from flower_web.figures import Figure, Measured

NONE = Percentiles(None, None, None, 0)


def the_six(
    *, now: Mapping[str, int] | None = None, before: Mapping[str, int] | None = None, wait: Percentiles = NONE
) -> dict[str, Figure]:
    measured = Measured(
        now=Figures(counts=now or {}, runtime_count=0, runtime_sum=0),
        before=Figures(counts=before or {}, runtime_count=0, runtime_sum=0),
        run=NONE,
        run_before=NONE,
        wait=wait,
        wait_before=NONE,
        counts={"STARTED": Count(2, exact=True)},
        workers=[],
    )
    return {figure.label: figure for figure in figures.figures(measured, Addresses("", "prod"))}


def test_the_hour_before_is_called_by_its_name() -> None:
    assert the_six()["Finished"].note.replace("\N{NO-BREAK SPACE}", " ") == "0 the hour before"


def test_what_runs_is_a_way_to_its_tasks() -> None:
    waiting = the_six()["Waiting now"]

    assert (waiting.note, waiting.note_address) == ("2 running", "/c/prod/tasks?state=STARTED")


def test_without_task_sent_the_tasks_in_the_broker_are_said_to_be_unseen() -> None:
    assert "task_send_sent_event" in the_six(now={"task-received": 3})["Waiting now"].hint
    assert the_six(now={"task-sent": 1})["Waiting now"].hint == ""


@pytest.mark.parametrize(("measured", "said"), [(SAMPLE, "newest 5,000"), (SAMPLE - 1, "")])
def test_a_percentile_of_a_part_says_so(measured: int, said: str) -> None:
    wait = the_six(wait=Percentiles(0.1, 0.2, 0.3, measured))["p95 wait"]

    assert wait.hint == said
    assert "ETA" in wait.meaning


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.34, ("340", "ms")), (0.0001, ("< 1", "ms")), (72, ("1 m 12 s", "")), (None, ("—", ""))]
)
def test_the_unit_of_a_figure_stands_apart(seconds: float | None, shown: tuple[str, str]) -> None:
    wait = the_six(wait=Percentiles(seconds, seconds, seconds, 1))["p95 wait"]

    assert (wait.value, wait.unit) == shown
