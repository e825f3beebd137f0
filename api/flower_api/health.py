"""Whether this process lives, and whether it can do its work."""

from litestar import MediaType, get


@get("/healthcheck", media_type=MediaType.HTML, summary="Flower's own sign of life", tags=["health"])
async def healthcheck() -> str:
    """Say OK while the process lives; nothing else is asked."""
    return "OK"


HANDLERS = (healthcheck,)
