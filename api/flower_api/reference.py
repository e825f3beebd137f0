"""The API's own reference: OpenAPI 3.1 as JSON, and Swagger UI over it from files of our own, never from elsewhere."""

import html
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import License
from litestar.types import ControllerRouterHandler

from flower_api.settings import ApiSettings
from flower_api.wire import CONTENT_SECURITY_POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceAssets:
    """Addresses, with the prefix, of Swagger UI's bundle and style."""

    script: str
    style: str


def config() -> OpenAPIConfig:
    """What Litestar makes the reference from. Its own pages load from a CDN, so only its JSON is served."""
    return OpenAPIConfig(
        title="Flower",
        version=metadata.version("flower"),
        description="What a Celery cluster did and does, from PostgreSQL. Under /api/ as Flower 2 answered.",
        license=License(name="BSD-3-Clause", identifier="BSD-3-Clause"),
        path="/api/openapi",
        render_plugins=[JsonRenderPlugin()],
        use_handler_docstrings=True,
    )


def handlers(settings: ApiSettings, assets: ReferenceAssets | None) -> list[ControllerRouterHandler]:
    """`/api/openapi.json`, and with the assets `/api/docs`."""
    return [openapi] if assets is None else [openapi, *_page(settings.root, assets)]


@get("/api/openapi.json", include_in_schema=False)
async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The reference for programs."""
    body = msgspec.json.encode(request.app.openapi_schema.to_schema())
    return Response(body, media_type="application/vnd.oai.openapi+json")


def _page(root: str, assets: ReferenceAssets) -> list[ControllerRouterHandler]:
    page = _PAGE.format(
        style=html.escape(assets.style),
        script=html.escape(assets.script),
        start=html.escape(f"{root}/api/docs/start.js"),
    )
    script = _START.format(url=msgspec.json.encode(f"{root}/api/openapi.json").decode())

    @get("/api/docs", media_type=MediaType.HTML, include_in_schema=False)
    async def docs() -> Response[str]:
        return Response(page, headers={"Content-Security-Policy": _POLICY})

    @get("/api/docs/start.js", media_type="text/javascript", include_in_schema=False)
    async def start() -> str:  # a file, because our policy allows no inline script
        return script

    return [docs, start]


_POLICY = f"{CONTENT_SECURITY_POLICY}; img-src 'self' data:"
"""Swagger UI's style holds its icons as data."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · Flower</title>
<link rel="stylesheet" href="{style}">
</head>
<body>
<div id="reference"></div>
<script src="{script}"></script>
<script src="{start}"></script>
</body>
</html>
"""

_START = """SwaggerUIBundle({{ url: {url}, dom_id: "#reference", deepLinking: true, validatorUrl: null }});
"""
