"""Serves an application on a free port in a thread of its own, for a browser to visit."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from litestar import Litestar


@contextmanager
def served(app: Litestar) -> Generator[str]:
    """The application's address, while it runs."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="served")
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)
