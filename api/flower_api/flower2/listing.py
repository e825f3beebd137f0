"""Many whole tasks as one JSON object, in bounded memory: read and encoded by the chunk, in one snapshot."""

import msgspec

from flower_api.flower2 import documents
from flower_api.reads import Reads
from flower_store.flower_query import Expression
from flower_store.reads import flower_matching
from flower_store.reads.task_query import TaskQuery

MOST = 10_000
"""Tasks in one answer. With 1.5 kB of texts each: 11 MB of JSON in 0.7 s; five at once peak at 145 MB."""


async def encoded(reads: Reads, query: TaskQuery, expression: Expression | None) -> tuple[bytes, int]:
    """The tasks of the query that the expression finds, at most MOST, by id in their order; and how many they are."""
    parts: list[bytes] = []
    count = 0
    most = MOST if query.limit is None else min(query.limit, MOST)
    async with reads.connect("REPEATABLE READ") as connection:
        async for records in flower_matching.found(connection, query, expression, limit=most):
            count += len(records)
            parts.append(msgspec.json.encode({record.id: documents.listed(record) for record in records})[1:-1])
    return b"{" + b",".join(parts) + b"}", count
