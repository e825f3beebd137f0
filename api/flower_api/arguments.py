"""Arguments of our own addresses: one that nobody reads is refused, because it is a slip of the keyboard.

The guards are coroutines: Litestar gives each other one a thread for every request, and each a copy of the handler,
which is no key to remember anything by.
"""

import difflib
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

_Connection = ASGIConnection[Any, Any, Any, Any]


def only(*names: str) -> Callable[[_Connection, BaseRouteHandler], Awaitable[None]]:
    """A guard that refuses every other query argument."""

    async def guard(connection: _Connection, _: BaseRouteHandler) -> None:
        _refuse_others(connection, names)

    return guard


async def declared(connection: _Connection, handler: BaseRouteHandler) -> None:
    """A guard that refuses what neither the handler nor a dependency of its own declares."""
    _refuse_others(connection, _declared(handler))


def _declared(handler: BaseRouteHandler) -> tuple[str, ...]:
    wanted = handler.parsed_fn_signature.parameters
    given = handler.resolve_dependencies()
    signatures = [wanted, *(given[name].parsed_fn_signature.parameters for name in wanted if name in given)]
    return tuple(
        field.kwarg_definition.name or name
        for signature in signatures
        for name, field in signature.items()
        if isinstance(field.kwarg_definition, QueryParameter)
    )


def _refuse_others(connection: _Connection, names: Collection[str]) -> None:
    for name in connection.query_params:
        if name not in names:
            raise ClientException(f"unknown argument {name!r}{suggestion(name, names)}")


def suggestion(name: str, names: Collection[str]) -> str:
    """What was probably meant, or what there is."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f", did you mean {close[0]!r}?"
    return f": there is {', '.join(map(repr, names))}" if names else ": there are none"
