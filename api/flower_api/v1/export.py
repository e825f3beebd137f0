"""`/api/v1/clusters/…/export`: all tasks that match, as CSV or NDJSON.

Pages are read by keyset, each in a transaction of its own: an export of an hour holds no snapshot for an hour, which
would keep the database from cleaning up. Tasks that come meanwhile are newer than the first page and are not in it.
"""

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from litestar.response import Stream

from flower_api.operations import also
from flower_api.reads import Reads
from flower_api.v1 import files, parameters, shapes, task_documents
from flower_api.v1.task_documents import ListedTask
from flower_store import cursors
from flower_store.reads import task_selection, tasks
from flower_store.reads.task_selection import TaskSelection


@get(
    "/export",
    operation_class=also(200, files.CSV),
    responses=files.answered("a line a task"),
    summary="All tasks that match, as a file",
    tags=["tasks"],
)
async def export(
    slug: FromPath[str],
    reads: NamedDependency[Reads],
    selected: NamedDependency[SkipValidation[TaskSelection]],
    *,
    format: files.Format = "ndjson",  # noqa: A002 - its name in the address
    fields: parameters.Fields = None,
    limit: files.Limit = files.MOST,
) -> Stream:
    """The newest first, with the fields of the list. The first page is read before the answer begins, so that what
    is wrong is told by its status; if the database goes away later, the answer breaks off without its end.
    """
    wanted = shapes.chosen(ListedTask, fields) or shapes.names(ListedTask)
    cluster = await reads.cluster(slug)
    return await files.stream(_rows(reads, cluster.id, selected, limit), format, wanted, name=f"tasks-{cluster.slug}")


async def _rows(reads: Reads, cluster_id: int, selected: TaskSelection, left: int) -> files.Rows:
    place: cursors.Cursor | None = None
    while left > 0:
        async with reads.connect() as connection:
            most = min(files.CHUNK, left)
            query = await task_selection.resolved(connection, cluster_id, selected, after=place, limit=most)
            page = await tasks.page(connection, query)
        yield [task_documents.listed(one) for one in page.items]
        if page.next is None:
            return
        left -= len(page.items)
        place = cursors.parse(page.next)
