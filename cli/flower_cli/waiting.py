"""What a collector and an API that were just started still wait for, in words for whoever sits before them."""

import json
from collections.abc import Callable
from http import HTTPStatus

from flower_cli.readiness import READY, Place


def on_pair(collector: Place, api: Place, *, broker: str) -> Callable[[], str]:
    """Ask both: the answer is empty once both are ready; `broker` is how the broker is called."""

    def waiting_for() -> str:
        collecting, serving = _of_collector(collector, broker), _of_api(api)
        if collecting and not serving:
            return f"{collecting}; the dashboard is at {api.url}"
        return collecting or serving

    return waiting_for


def _of_api(api: Place) -> str:
    return "" if api.get("/readyz")[0] == READY else "the API does not answer yet"


def _of_collector(collector: Place, broker: str) -> str:
    status, body = collector.get("/readyz")
    if status == READY:
        return ""
    sides = _sides(body) if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    if sides.get("broker") is False:
        return f"{broker} does not answer yet: trying again"
    if sides.get("database") is False:
        return "the database does not answer yet: trying again"
    return "the collector is still connecting" if sides else "the collector does not answer yet"


def _sides(body: str) -> dict[str, object]:
    """Whether each side answers, in the collector's own answer: null is a first attempt that has not ended."""
    try:
        sides: object = json.loads(body)
    except ValueError:
        return {}
    return sides if isinstance(sides, dict) else {}
