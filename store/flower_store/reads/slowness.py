"""Which tasks are slow: longer than the 95th percentile of their name within the last day."""

from datetime import datetime, timedelta

from sqlalchemy import ARRAY, ColumnElement, Double, Integer, and_, case, cast, column, exists, false, func, literal
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store import histograms, states, tables
from flower_store.reads import statistics

DAY = timedelta(days=1)
FEWEST = 20
"""Run times of a name below which a percentile says nothing."""

_T = tables.task.c


async def condition(connection: AsyncConnection, cluster_id: int, now: datetime) -> ColumnElement[bool]:
    """That a task ran, or runs already, longer than nineteen in twenty of its name did."""
    found = await statistics.runtimes(connection, cluster_id, now - DAY, now)
    limits = {
        name_id: _bound(one.p95) for name_id, one in found.items() if one.p95 is not None and one.measured >= FEWEST
    }
    if not limits:
        return false()
    known = (
        func.unnest(cast(literal(list(limits)), ARRAY(Integer)), cast(literal(list(limits.values())), ARRAY(Double)))
        .table_valued(column("name_id", Integer), column("seconds", Double))
        .render_derived()
    )
    running = case((_T.state == states.STARTED, func.extract("epoch", literal(now) - _T.started_at)))
    took = func.coalesce(_T.runtime, running)
    return exists().where(and_(known.c.name_id == _T.name_id, took > known.c.seconds)).correlate(tables.task)


def _bound(seconds: float) -> float:
    """The upper bound of the histogram's slot: where all took a second, none is slow by the reading between bounds."""
    return histograms.BOUNDS[min(histograms.slot(seconds), histograms.LAST - 1)]
