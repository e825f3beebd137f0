"""Which tasks a request means: one query, made of `q` and of the filters that stand beside it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from litestar.exceptions import ClientException
from litestar.params import FromQuery, QueryParameter

from flower_api.v1 import parameters
from flower_store import query, query_text, states
from flower_store.query import And, BadQuery, Has, Query, Value
from flower_store.reads.task_selection import TaskSelection

DAY = timedelta(days=1)


def selected(
    *,
    q: Annotated[str | None, QueryParameter(name="q", description="a search, as on the page: docs/api.md")] = None,
    marked: Annotated[str | None, QueryParameter(name="is", description=f"comma: or; {', '.join(query.IS)}")] = None,
    in_state: Annotated[
        str | None, QueryParameter(name="state", description=f"comma: or; {', '.join(states.ALL)}")
    ] = None,
    name: FromQuery[str | None] = None,
    worker: FromQuery[str | None] = None,
    queue: FromQuery[str | None] = None,
    since: parameters.Since = None,
    until: parameters.Until = None,
) -> TaskSelection:
    """All tasks, or those that match; `name`, `worker` and `queue` take `*` at their end for a beginning."""
    now = datetime.now(UTC)
    begin, end = parameters.times(since, until, now)
    terms = [
        _choices("is", marked and marked.lower(), query.IS),
        _choices("state", in_state and in_state.upper(), states.ALL),
        *(_named(key, value) for key, value in (("name", name), ("worker", worker), ("queue", queue))),
    ]
    there = [term for term in (_parsed(q, begin, end or now, now), *terms) if term is not None]
    whole = And(tuple(there)) if len(there) > 1 else there[0] if there else None
    return TaskSelection(whole, begin, end, now)


def _parsed(text: str | None, begin: datetime | None, end: datetime, now: datetime) -> Query | None:
    if text is None:
        return None
    parameters.text("q", text, longest=query_text.LONGEST)
    try:
        found = query_text.parse(text)
        if found is not None:
            query.check_bounds(found, now=now, bounded=begin is not None and end - begin <= DAY)
    except BadQuery as error:
        raise ClientException(f"q: {error}", extra={"position": error.position}) from None
    return found


def _choices(key: str, given: str | None, known: tuple[str, ...]) -> Query | None:
    wanted = parameters.choices(key, given, known)
    return Has(key, tuple(map(Value, wanted))) if wanted else None


def _named(key: str, given: str | None) -> Query | None:
    found = parameters.text(key, given)
    if not found:
        return None
    return Has(key, (Value(found.removesuffix("*"), prefix=found.endswith("*")),))
