"""A collector holds only what it needs: each of these took megabytes of its memory, for the API alone."""

import subprocess
import sys

ONLY_THE_API_NEEDS = {"litestar", "sqlalchemy.orm", "sqlalchemy.ext.asyncio"}


def test_a_collector_imports_nothing_that_only_the_api_needs() -> None:
    code = "import sys, flower_cli.main, flower_cli.collecting; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "flower_collector.service" in loaded
    assert not ONLY_THE_API_NEEDS & {*loaded}
