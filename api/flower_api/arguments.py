"""Arguments of our own addresses: one that nobody reads is refused, because it is a slip of the keyboard."""

import difflib
from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException
from litestar.handlers import BaseRouteHandler

_Connection = ASGIConnection[Any, Any, Any, Any]


def only(*names: str) -> Callable[[_Connection, BaseRouteHandler], None]:
    """A guard that refuses every other query argument."""

    def guard(connection: _Connection, _: BaseRouteHandler) -> None:
        for name in connection.query_params:
            if name not in names:
                raise ClientException(f"unknown argument {name!r}{_suggestion(name, names)}")

    return guard


def _suggestion(name: str, names: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f", did you mean {close[0]!r}?"
    return f": there is {', '.join(map(repr, names))}" if names else ": there are none"
