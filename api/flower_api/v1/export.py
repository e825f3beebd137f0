"""`/api/v1/clusters/…/export`: all tasks that match, as CSV or NDJSON, in flat memory.

Pages are read by keyset, each in a transaction of its own: an export of an hour holds no snapshot for an hour, which
would keep the database from cleaning up. Tasks that come meanwhile are newer than the first page and are not in it.
"""

import csv
import io
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Annotated, Literal

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter, SkipValidation
from litestar.response import Stream

from flower_api.operations import also
from flower_api.reads import Reads
from flower_api.v1 import parameters, shapes, task_documents
from flower_api.v1.task_documents import ListedTask
from flower_store import cursors
from flower_store.reads import task_selection, tasks
from flower_store.reads.task_selection import TaskSelection

CHUNK = 1_000
MOST = 10_000_000
_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}

Row = dict[str, object]
Encode = Callable[[Sequence[Row]], bytes]


@get(
    "/export",
    operation_class=also(200, _TYPES["csv"]),
    responses={
        200: ResponseSpec(bytes, description="a line a task", media_type=_TYPES["ndjson"], generate_examples=False),
        **parameters.REFUSALS,
    },
    summary="All tasks that match, as a file",
    tags=["tasks"],
)
async def export(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    selected: NamedDependency[SkipValidation[TaskSelection]],
    *,
    format: Annotated[Literal["csv", "ndjson"], QueryParameter(name="format")] = "ndjson",  # noqa: A002 - its name in the address
    fields: parameters.Fields = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=MOST, description="at most so many")] = MOST,
) -> Stream:
    """The newest first, with the fields of the list. The first page is read before the answer begins, so that what
    is wrong is told by its status; if the database goes away later, the answer breaks off without its end.
    """
    wanted = shapes.chosen(ListedTask, fields) or shapes.names(ListedTask)
    cluster = await reads.cluster(slug)
    rows = _rows(reads, cluster.id, selected, limit)
    first = await anext(rows, None)
    encode = _csv(wanted) if format == "csv" else _ndjson(wanted)
    return Stream(
        _encoded(first, rows, encode, head=_csv_line(wanted) if format == "csv" else b""),
        media_type=_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="tasks-{cluster.slug}.{format}"'},
    )


async def _rows(reads: Reads, cluster_id: int, selected: TaskSelection, left: int) -> AsyncGenerator[list[ListedTask]]:
    place: cursors.Cursor | None = None
    while left > 0:
        async with reads.connect() as connection:
            query = await task_selection.resolved(connection, cluster_id, selected, after=place, limit=min(CHUNK, left))
            page = await tasks.page(connection, query)
        yield [task_documents.listed(one) for one in page.items]
        if page.next is None:
            return
        left -= len(page.items)
        place = cursors.parse(page.next)


async def _encoded(
    first: list[ListedTask] | None, rows: AsyncGenerator[list[ListedTask]], encode: Encode, *, head: bytes
) -> AsyncGenerator[bytes]:
    yield head + encode(list(map(_row, first or [])))
    async for page in rows:
        yield encode(list(map(_row, page)))


def _row(task: ListedTask) -> Row:
    found: Row = msgspec.to_builtins(task)
    return found


def _ndjson(fields: Sequence[str]) -> Encode:
    encoder = msgspec.json.Encoder()
    return lambda rows: encoder.encode_lines([{name: row[name] for name in fields} for row in rows])


def _csv(fields: Sequence[str]) -> Encode:
    return lambda rows: b"".join(_csv_line([_cell(row[name]) for name in fields]) for row in rows)


def _csv_line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode(errors="replace")


def _cell(value: object) -> str:
    """As text. What a spreadsheet would take for a formula gets an apostrophe (OWASP, CSV injection)."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
