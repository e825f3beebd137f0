"""The collector's own HTTP port: `/healthz` (its threads live), `/readyz` (broker and database answer), `/metrics`.

A side that has neither answered nor failed yet is `null` in `/readyz`.
"""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from flower_collector.settings import CollectorSettings
from flower_store.settings import SettingError

Truths = Callable[[], Mapping[str, bool | None]]
"""Named parts and whether each is well; None where that is not known yet."""


Answer = tuple[HTTPStatus, str, bytes]
Routes = Mapping[str, Callable[[str], Answer]]


class Health:
    """Serves from `start()` to `stop()`, in threads of its own."""

    def __init__(
        self, settings: CollectorSettings, *, healthy: Truths, ready: Truths, registry: CollectorRegistry
    ) -> None:
        self._settings = settings
        self._routes: Routes = {
            "/healthz": partial(_truths, healthy),
            "/readyz": partial(_truths, ready),
            "/metrics": partial(_metrics, registry),
        }
        self._server: ThreadingHTTPServer | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port if self._server else self._settings.collector_port

    def start(self) -> None:
        """Listen; raises SettingError when the port is taken."""
        address = (self._settings.collector_address, self._settings.collector_port)
        try:
            self._server = _server(address, _handler(self._routes))
        except OSError as error:
            rule = f"cannot be listened on at {address[0]}: {error.strerror or error}"
            raise SettingError("collector_port", address[1], rule) from error
        threading.Thread(target=self._server.serve_forever, name="flower-health", daemon=True).start()

    def stop(self) -> None:
        """Stop listening. May be called twice."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _server(address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        daemon_threads = True

    return Server(address, handler)


def _truths(told: Truths, _: str) -> Answer:
    truths = told()
    status = HTTPStatus.OK if all(truths.values()) else HTTPStatus.SERVICE_UNAVAILABLE
    body = json.dumps({"ok": status == HTTPStatus.OK, **truths})
    return status, "application/json", f"{body}\n".encode()


def _metrics(registry: CollectorRegistry, accept: str) -> Answer:
    encode, content_type = choose_encoder(accept)
    return HTTPStatus.OK, content_type, encode(registry)


def _handler(routes: Routes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # seconds for a client to send its request
        server_version = "flower"
        sys_version = ""

        def do_GET(self) -> None:
            self.wfile.write(self._answer())

        def do_HEAD(self) -> None:
            self._answer()

        def _answer(self) -> bytes:
            route = routes.get(self.path.partition("?")[0])
            status, content_type, body = route(self.headers.get("Accept", "")) if route else _NOT_FOUND
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            return body

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
            """Probes every few seconds are not worth a line."""

    return Handler


_NOT_FOUND: Answer = (HTTPStatus.NOT_FOUND, "text/plain", b"try /healthz, /readyz or /metrics\n")
