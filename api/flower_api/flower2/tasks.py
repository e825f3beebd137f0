"""`/api/tasks`, `/api/task/info/…` and `/api/task/types`."""

from typing import Annotated, Any
from urllib.parse import unquote_to_bytes, urlencode

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import FromQuery, QueryParameter

from flower_api.flower2 import answers, arguments, documents, listing
from flower_api.operations import also
from flower_api.reads import NoCluster, Reads
from flower_store import flower_query
from flower_store.flower_query import Expression
from flower_store.reads import tasks
from flower_store.reads.task_query import TaskQuery

_AnyRequest = Request[Any, Any, Any]


class TaskTypes(msgspec.Struct, frozen=True):
    """Every task name ever seen, sorted."""

    names: list[str] = msgspec.field(name="task-types")


def _text(description: str) -> ResponseSpec:
    return ResponseSpec(str, description=description, media_type="text/plain", generate_examples=False)


REFUSALS = {401: _text("asked from elsewhere than this machine"), 404: _text("unknown cluster or object")}


@get(
    "/tasks",
    operation_class=also(400, "application/json", Schema(type=OpenAPIType.OBJECT)),
    responses={
        200: ResponseSpec(documents.TASK_LIST, description="tasks by id, in order", generate_examples=False),
        400: _text("an argument cannot be read"),
        **REFUSALS,
    },
    summary="List tasks",
)
async def list_tasks(
    request: _AnyRequest,
    reads: NamedDependency[Reads],
    *,
    limit: FromQuery[str | None] = None,
    offset: FromQuery[str | None] = None,
    sort_by: FromQuery[str | None] = None,
    workername: FromQuery[str | None] = None,
    taskname: FromQuery[str | None] = None,
    in_state: Annotated[str | None, QueryParameter(name="state")] = None,  # `state` is Litestar's own word
    received_start: FromQuery[str | None] = None,
    received_end: FromQuery[str | None] = None,
    search: FromQuery[str | None] = None,
    cluster: FromQuery[str | None] = None,
) -> Response[bytes]:
    """Whole tasks by id, newest first, at most 10,000; where there are more, `Link: rel="next"` says how to go on."""
    sort, descending = arguments.order(sort_by)
    wanted = arguments.choice(in_state)
    most = arguments.integer(limit)
    name, worker = arguments.choice(taskname), arguments.choice(workername)
    query = TaskQuery(
        cluster_id=await cluster_id(reads, cluster),
        states=(wanted.upper(),) if wanted else (),
        name=_beginning(name),
        worker=_beginning(worker),
        received_from=arguments.minute(received_start),
        received_to=arguments.minute(received_end),
        sort=sort,
        descending=descending,
        offset=arguments.offset(arguments.integer(offset)),
        limit=None if most is None else max(most, 0),
    )
    found, wrong = arguments.search(search)
    if wrong:
        return Response(msgspec.json.encode({"error": wrong}), status_code=400, media_type=answers.JSON)
    expression = flower_query.both(_whole("name", name), _whole("worker", worker), found)
    body, count = await listing.encoded(reads, query, expression)
    cut = count == listing.MOST and most != listing.MOST
    return answers.json(request, body, headers=_next(request, query, count) if cut else None)


@get(
    ["/task/info", "/task/info/{task_id:path}"],
    responses={
        200: ResponseSpec(documents.TaskInfo, description="the task", generate_examples=False),
        **REFUSALS,
    },
    summary="One task",
)
async def task_info(
    request: _AnyRequest, reads: NamedDependency[Reads], cluster: FromQuery[str | None] = None
) -> Response[bytes]:
    """Everything that its events told of it."""
    task_id = trailing(request, "/task/info/")
    found = await cluster_id(reads, cluster)
    async with reads.connect() as connection:
        record = await tasks.one(connection, found, task_id)
    if record is None:
        raise NotFoundException(f"Unknown task '{task_id}'")
    return answers.json(request, msgspec.json.encode(documents.task_info(record)))


@get(
    "/task/types",
    responses={200: ResponseSpec(TaskTypes, description="names", generate_examples=False), **REFUSALS},
    summary="Every task name ever seen",
)
async def task_types(
    request: _AnyRequest, reads: NamedDependency[Reads], cluster: FromQuery[str | None] = None
) -> Response[bytes]:
    """Sorted; never forgotten at a restart."""
    found = await cluster_id(reads, cluster)
    async with reads.connect() as connection:
        names = await tasks.names(connection, found)
    return answers.json(request, msgspec.json.encode(TaskTypes(names)))


async def cluster_id(reads: Reads, cluster: str | None) -> int:
    """The cluster that is meant; 0, in which nothing is, while nothing is stored. Raises UnknownCluster."""
    try:
        return (await reads.cluster(arguments.text(cluster))).id
    except NoCluster:
        return 0


def _beginning(name: str | None) -> str | None:
    """A name that ends with `*`: the store's own kind of filter."""
    return name if name and name.endswith("*") else None


def _whole(field: str, name: str | None) -> Expression | None:
    return flower_query.whole(field, name) if name and not name.endswith("*") else None


def _next(request: _AnyRequest, query: TaskQuery, count: int) -> dict[str, str]:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "offset"]
    address = f"{request.url.path}?{urlencode([*kept, ('offset', str(query.offset + count))])}"
    return {"Link": f'<{address}>; rel="next"'}


def trailing(request: _AnyRequest, marker: str) -> str:
    """What stands behind the marker, as it was sent: the router would fold `//` and drop a `/` at the end."""
    raw: bytes = request.scope["raw_path"]
    given = unquote_to_bytes(raw.partition(marker.encode())[2])
    try:
        return given.decode()
    except UnicodeDecodeError:
        raise ClientException(f"Invalid unicode in url: {given[:40]!r}") from None
