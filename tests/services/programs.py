"""Where the servers are that tests need: in the system, or where tests/services/install unpacked them.

A missing one is a failure where CI=true, so that a green build has run everything; elsewhere a skip.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

UNPACKED = Path(__file__).parents[2] / ".cache" / "services"
# The unpacked programs come first: `erl` must be the one that belongs to the unpacked RabbitMQ.
SEARCH_PATH = os.pathsep.join([str(UNPACKED / "bin"), os.environ.get("PATH", os.defpath)])


def find(*names: str) -> Path | None:
    """The first of these programs that is here."""
    return next((Path(found) for name in names if (found := shutil.which(name, path=SEARCH_PATH))), None)


def oldest_postgresql() -> Path:
    """Where the programs of PostgreSQL 15 are, the oldest that we promise: Debian 12's own."""
    places = (Path("/usr/lib/postgresql/15/bin"), UNPACKED / "bin")
    found = next((place for place in places if (place / "postgres").exists()), None)
    return found or missing("PostgreSQL 15")


def missing(service: str, *, fetched_by: str = "./run setup") -> NoReturn:
    """Fail or skip, saying how to get the service."""
    reason = f"{service} is not here: run `{fetched_by}` (it fetches what it can) or install it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
