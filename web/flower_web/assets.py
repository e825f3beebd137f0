"""The built script and style: `static/dist`, made by `web/hatch_build.py` and carried by the wheel."""

from functools import cache
from pathlib import Path

import msgspec

STATIC = Path(__file__).parent / "static"
_MANIFEST = STATIC / "dist" / "manifest.json"


class AssetsMissing(RuntimeError):
    """The package was put together without its assets."""


def built(name: str) -> str:
    """The file name, with its content's hash, of an asset by its plain name (`app.js`)."""
    return _manifest()[name]


@cache
def _manifest() -> dict[str, str]:
    """Read once: a new build is a new process."""
    try:
        return msgspec.json.decode(_MANIFEST.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        raise AssetsMissing(
            "the dashboard's assets are not built: run `./run` or `pip install -e .` in the checkout"
        ) from None
