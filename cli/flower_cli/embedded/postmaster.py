"""PostgreSQL's own note about its running server, `postmaster.pid`: who runs, and whether it is ready.

The format is told in PostgreSQL's `src/include/utils/pidfile.h`: line 1 is the process, line 8 the status.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from flower_cli.embedded import errors, process

PID_LINE, STATUS_LINE = 0, 7
# A server whose owner was killed shuts down fast, but first finishes a checkpoint.
END_LIMIT = timedelta(seconds=20)


def ready(data: Path, *, pid: int) -> bool:
    """Whether the server with this process id accepts connections."""
    lines = _lines(data)
    return len(lines) > STATUS_LINE and lines[PID_LINE] == str(pid) and lines[STATUS_LINE].strip() == "ready"


def await_end(data: Path, *, wait: Callable[[float], None]) -> None:
    """Wait for a server that a killed owner left behind, then remove its note.

    A note whose process is another program's (ids start anew in a container) would keep PostgreSQL from
    starting. Where there is no /proc to ask, PostgreSQL's own check of its note has the word.
    """
    if not Path("/proc/self/cwd").exists():
        return
    for _ in range(END_LIMIT // process.POLL_INTERVAL):
        if not _runs_here(data):
            (data / "postmaster.pid").unlink(missing_ok=True)
            return
        wait(process.POLL_INTERVAL.total_seconds())
    raise errors.InUse(f"{data} is in use by PostgreSQL process {_lines(data)[PID_LINE]}: stop it first")


def _runs_here(data: Path) -> bool:
    """Whether the noted process lives and has `data` as its working directory, as every postmaster does."""
    lines = _lines(data)
    if not lines or not lines[PID_LINE].isdigit():
        return False
    try:
        return Path(f"/proc/{lines[PID_LINE]}/cwd").readlink() == data.resolve()
    except OSError:
        return False


def _lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
