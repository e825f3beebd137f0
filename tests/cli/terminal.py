"""A terminal, which can be closed under the program that runs on it."""

import contextlib
import os
import pty


class Terminal:
    """Give `device` to a program; what it writes is the `text()`."""

    def __init__(self) -> None:
        self._screen, self.device = pty.openpty()
        os.set_blocking(self._screen, False)
        self._seen = b""

    def text(self) -> str:
        """All that was written so far, with plain line ends."""
        with contextlib.suppress(OSError):  # nothing more at the moment, or closed
            while found := os.read(self._screen, 65_536):
                self._seen += found
        return self._seen.decode(errors="replace").replace("\r\n", "\n")

    def close(self) -> None:
        """As the window is closed: the kernel sends SIGHUP, and every write fails from now on."""
        self.text()
        os.close(self.device)
        os.close(self._screen)
