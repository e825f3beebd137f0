"""`/tasks/datatable`: what Flower's own page asked for by the protocol of DataTables, and people scrape."""

from typing import Any

import msgspec
from litestar import Request, Response, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from flower_api.flower2 import answers, arguments, documents
from flower_api.flower2.listing import MOST
from flower_api.flower2.tasks import REFUSALS, cluster_id
from flower_api.reads import Reads
from flower_store.flower_query import Expression
from flower_store.reads import flower_matching, task_query
from flower_store.reads.task_query import TaskQuery

_AnyRequest = Request[Any, Any, Any]


class DataTable(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A page of tasks; both counts stop at 100,000. `searchError` says what is wrong with `search[value]`."""

    draw: int
    data: list[documents.TaskInfo]
    records_total: int = msgspec.field(name="recordsTotal")
    records_filtered: int = msgspec.field(name="recordsFiltered")
    search_error: str = msgspec.field(name="searchError", default="")


_RESPONSES = {
    200: ResponseSpec(DataTable, description="a page of tasks", generate_examples=False),
    400: ResponseSpec(str, description="an argument is missing", media_type="text/plain", generate_examples=False),
    **REFUSALS,
}


@route(
    "/tasks/datatable",
    http_method=["GET", "POST"],
    status_code=200,
    responses=_RESPONSES,
    summary="Tasks for DataTables",
    tags=["Flower 2"],
)
async def table(request: _AnyRequest, reads: NamedDependency[Reads]) -> Response[bytes]:
    """Takes `draw`, `start`, `length`, `search[value]`, `order[0][column]`, `order[0][dir]`, `columns[N][data]`.

    A form's arguments may stand in the form and in the address.
    """
    form: dict[str, str] = {}
    if request.method == "POST":
        form = {name: value for name, value in (await request.form()).multi_items() if isinstance(value, str)}
    return await _answer(request, reads, dict(request.query_params.multi_items()) | form)


async def _answer(request: _AnyRequest, reads: Reads, given: dict[str, str]) -> Response[bytes]:
    draw, start, length = (arguments.required(given, name) for name in ("draw", "start", "length"))
    column = arguments.required(given, "order[0][column]")
    expression, error = arguments.search(given.get("search[value]"))
    sort = arguments.text(given.get(f"columns[{column}][data]")) or ""
    query = TaskQuery(
        cluster_id=await cluster_id(reads, given.get("cluster")),
        sort=sort if sort in task_query.SORTS else ("id" if sort else "seen"),
        descending=not sort or arguments.text(given.get("order[0][dir]")) == "desc",
        offset=arguments.offset(start),
    )
    most = 0 if error else min(max(length, 0), MOST)
    body = msgspec.json.encode(await _table(reads, query, expression, draw=draw, most=most, error=error))
    return answers.json(request, body)


async def _table(
    reads: Reads, query: TaskQuery, expression: Expression | None, *, draw: int, most: int, error: str
) -> DataTable:
    async with reads.connect("REPEATABLE READ") as connection:
        total = await flower_matching.count(connection, query, None)
        matching = total if expression is None else await flower_matching.count(connection, query, expression)
        chunks = flower_matching.found(connection, query, expression, limit=most)
        data = [documents.task_info(record) async for records in chunks for record in records]
    return DataTable(
        draw=draw,
        data=data,
        records_total=total.value,
        records_filtered=0 if error else matching.value,
        search_error=error,
    )
