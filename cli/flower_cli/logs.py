"""Logs of a process: structlog and every library's stdlib logging in one form, to standard error, secrets hidden.

Readable on a terminal, one JSON object a line elsewhere.
"""

import logging
import sys
from collections.abc import Sequence
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from flower_cli.configuration import Configuration
from flower_cli.masking import Mask
from flower_cli.settings import LogSettings

# Chatty at info about what is no news to us: connections opened, each migration's plumbing.
QUIET = ("alembic", "amqp", "asyncio", "authlib", "httpcore2", "httpx2", "kombu", "urllib3", "uvicorn.access")


def start(configuration: Configuration, *, stream: TextIO | None = None) -> None:
    """Set up logging for this process, then warn of what was given and has no effect."""
    configure(configuration.settings(LogSettings), configuration.mask, stream=stream or sys.stderr)
    log: structlog.stdlib.BoundLogger = structlog.get_logger("flower")
    for ignored in configuration.ignored:
        log.warning("setting ignored", setting=ignored.source, reason=ignored.reason)


def configure(settings: LogSettings, mask: Mask, *, stream: TextIO) -> None:
    """Send structlog and stdlib logging through one handler; may be called again."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # loggers made at import would keep the defaults of before this call
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(settings.log_format, mask, stream))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(capture=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _shared() -> Sequence[Processor]:
    """What happens to our own and to other libraries' entries alike."""
    return (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )


def _formatter(form: str, mask: Mask, stream: TextIO) -> structlog.stdlib.ProcessorFormatter:
    on_terminal = stream.isatty()
    readable = form == "console" or (form == "auto" and on_terminal)
    last = _console(colors=on_terminal) if readable else _json()
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *last,
            _Masked(mask),
        ],
    )


def _console(*, colors: bool) -> tuple[Processor, ...]:
    plain = structlog.dev.plain_traceback  # the coloured one prints local variables, which may hold secrets
    return (structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain),)


def _json() -> tuple[Processor, ...]:
    return (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())


class _Masked:
    """The last processor: the finished line without secrets."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def __call__(self, _logger: WrappedLogger, _method: str, line: str | bytes | EventDict) -> str:
        return self._mask(str(line))
