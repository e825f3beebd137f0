"""EXPLAIN (ANALYZE, BUFFERS) of the very statements that the API sends: it runs here, and what it asks is recorded."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import sqlalchemy.event
from sqlalchemy.engine import Engine

from bench.stage.shapes import Shape
from flower_api import app
from flower_api.settings import ApiSettings
from flower_store.settings import StoreSettings

_TIME = re.compile(r"Execution Time: ([\d.]+) ms")
_HIT = re.compile(r"Buffers: shared hit=(\d+)")
_READ = re.compile(r"Buffers: shared (?:hit=\d+ )?read=(\d+)")
_SCAN = re.compile(r"(?:Index (?:Only )?Scan(?: Backward)? using|Bitmap Index Scan on|Seq Scan on) \w+")
_QUICK = 0.3
"""Milliseconds below which a statement is not worth a word."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One statement's; `pages` are of 8 kB, from memory or not."""

    shape: str
    statement: str
    text: str

    @property
    def milliseconds(self) -> float:
        return _number(_TIME, self.text)

    @property
    def pages(self) -> int:
        return round(_number(_HIT, self.text) + _number(_READ, self.text))

    @property
    def scans(self) -> list[str]:
        """How rows are found, each way once."""
        return list(dict.fromkeys(_SCAN.findall(self.text)))

    def __str__(self) -> str:
        return f"== {self.shape}: {self.milliseconds:.1f} ms, {self.pages:,} pages\n{self.statement}\n\n{self.text}\n"


def plans(database: str, shapes: Sequence[Shape]) -> list[Plan]:
    """The plans of each shape's first address."""
    found = []
    with psycopg.connect(database, autocommit=True, prepare_threshold=None) as connection:
        for shape, statements in asyncio.run(_recorded(database, shapes)):
            for statement, parameters in statements:
                rows = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}".encode(), parameters)
                found.append(Plan(shape.name, statement, "\n".join(row[0] for row in rows)))
    return found


def worth_telling(found: Sequence[Plan]) -> list[Plan]:
    """Those that take time."""
    return [one for one in found if one.milliseconds > _QUICK]


async def _recorded(database: str, shapes: Sequence[Shape]) -> list[tuple[Shape, list[tuple[str, Any]]]]:
    recorded: list[tuple[str, Any]] = []

    def record(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT") and "set_config" not in statement:
            recorded.append((statement, parameters))

    api = app.create_app(ApiSettings(), StoreSettings(database_url=database))
    transport = httpx.ASGITransport(app=api, client=("127.0.0.1", 1))  # type: ignore[arg-type]  # Litestar is ASGI
    found = []
    sqlalchemy.event.listen(Engine, "before_cursor_execute", record)
    try:
        async with api.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for shape in shapes:
                recorded.clear()
                (await client.get(shape.paths[0])).raise_for_status()
                found.append((shape, list(recorded)))
    finally:
        sqlalchemy.event.remove(Engine, "before_cursor_execute", record)
    return found


def _number(pattern: re.Pattern[str], text: str) -> float:
    found = pattern.search(text)
    return float(found[1]) if found else 0.0
