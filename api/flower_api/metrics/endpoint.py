"""`GET /metrics`. It names tasks and workers, so it stands behind the gate, as the API does."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from flower_api.metrics.scrape import Scrape


@get(
    "/metrics",
    responses={
        200: ResponseSpec(
            str,
            media_type="text/plain",
            description="Prometheus' text format 0.0.4, or OpenMetrics where `Accept` asks for it",
            generate_examples=False,
        )
    },
    summary="Metrics for Prometheus",
    tags=["Metrics"],
    uncompressed=True,  # at a good level that takes longer than all the rest
)
async def metrics(request: Request[Any, Any, Any], scrape: NamedDependency[Scrape]) -> Response[bytes]:
    """Counters of all clusters since their first event, and what is so now; the same on every replica."""
    content_type, body = await scrape.answer(request.headers.get("accept", ""))
    bare = content_type.removesuffix("; charset=utf-8")  # which Litestar adds to a text by itself
    return Response(body, media_type=bare, headers={"Cache-Control": "no-store"})
