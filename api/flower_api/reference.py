"""The API's own reference: OpenAPI 3.1 as JSON, and Swagger UI over it from files of our own, never from elsewhere."""

from dataclasses import dataclass
from importlib import metadata

from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler

from flower_api.settings import ApiSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceAssets:
    """Addresses, with the prefix, of Swagger UI's bundle and style."""

    script: str
    style: str


def config(settings: ApiSettings, assets: ReferenceAssets | None) -> OpenAPIConfig:
    """What Litestar makes the reference from."""
    return OpenAPIConfig(
        title="Flower",
        version=metadata.version("flower"),
        path="/api/docs",
        render_plugins=[JsonRenderPlugin()],
    )


HANDLERS: tuple[ControllerRouterHandler, ...] = ()
