"""The command line in this process, without what the developer's own environment says."""

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from flower_cli.main import Flower

Run = Callable[..., Result]
OTHERS = ("PORT", "RATE", "CELERY_BROKER_URL", "CELERY_APP")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):  # noqa: TID251 - to empty it
        if name.startswith("FLOWER_") or name in OTHERS:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def flower() -> Run:
    """`flower("config", "--port", "1", FLOWER_X="…")`: its result, with all that it printed in `output`."""

    def run(*arguments: str, **variables: str) -> Result:
        environ: Mapping[str, str] = variables
        return CliRunner(env=environ).invoke(Flower("flower"), arguments, prog_name="flower")

    return run


@pytest.fixture
def directory() -> Iterator[Path]:
    """Not pytest's own, which is closed to nobody: PostgreSQL runs as nobody in some containers."""
    with tempfile.TemporaryDirectory(prefix="flower-cli-") as path:
        Path(path).chmod(0o711)
        yield Path(path)
