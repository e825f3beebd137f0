"""Rows as a file, CSV or NDJSON, in flat memory: page by page as it is read.

The first page is read before the answer begins, so that what is wrong is told by its status; if the database goes away
later, the answer breaks off without its end.
"""

import csv
import io
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Stream

from flower_api.v1 import parameters

CHUNK: Final = 1_000
"""Rows that are read at once."""

MOST: Final = 10_000_000
CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"

Format: TypeAlias = Annotated[Literal["csv", "ndjson"], QueryParameter(name="format")]
Limit: TypeAlias = Annotated[int, QueryParameter(name="limit", ge=1, le=MOST, description="at most so many")]
Row = dict[str, Any]
Rows = AsyncGenerator[list[msgspec.Struct]]
_Encode = Callable[[Sequence[Row]], bytes]


def answered(description: str) -> dict[int, ResponseSpec]:
    """What the reference says of such an answer."""
    file = ResponseSpec(bytes, description=description, media_type=NDJSON, generate_examples=False)
    return {200: file, **parameters.REFUSALS}


async def stream(rows: Rows, form: str, fields: Sequence[str], *, name: str) -> Stream:
    """The answer; `name` is the file's, without its ending."""
    first = await anext(rows, None)
    encode = _csv(fields) if form == "csv" else _ndjson(fields)
    return Stream(
        _encoded(first, rows, encode, head=_csv_line(fields) if form == "csv" else b""),
        media_type=CSV if form == "csv" else NDJSON,
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'},
    )


async def _encoded(
    first: list[msgspec.Struct] | None, rows: Rows, encode: _Encode, *, head: bytes
) -> AsyncGenerator[bytes]:
    yield head + encode(list(map(msgspec.to_builtins, first or [])))
    async for page in rows:
        yield encode(list(map(msgspec.to_builtins, page)))


def _ndjson(fields: Sequence[str]) -> _Encode:
    encoder = msgspec.json.Encoder()
    return lambda rows: encoder.encode_lines([{name: row[name] for name in fields} for row in rows])


def _csv(fields: Sequence[str]) -> _Encode:
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
