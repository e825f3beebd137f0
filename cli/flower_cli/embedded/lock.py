"""A directory belongs to one process at a time: the kernel frees the lock however its owner ends."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from flower_cli.embedded import errors


class DirectoryLock:
    """Held from `take()`, which makes the directory, to `free()`; both may be repeated."""

    def __init__(self, directory: Path, *, mode: int = 0o777) -> None:
        self._path = directory / "lock"
        self._mode = mode
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raise `InUse`, naming the owner's process, when another one has the directory; `Unusable` when it cannot
        be made or written.
        """
        if self._descriptor is not None:
            return
        try:
            self._path.parent.mkdir(mode=self._mode, parents=True, exist_ok=True)
            self._descriptor = self._taken()
        except OSError as error:
            raise errors.Unusable(
                f"{self._path.parent} cannot be made or written ({error.strerror}): name another data directory with "
                "--data-dir or FLOWER_DATA_DIR"
            ) from error

    def _taken(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._hold(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _hold(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            raise errors.InUse(
                f"{self._path.parent} is in use by process {owner}: stop it, or choose another data directory"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())

    def free(self) -> None:
        """Let others have the directory."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> None:
        self.take()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.free()
