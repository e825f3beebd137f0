"""Google, GitHub, GitLab and Okta as they answer, by the shapes in their documentation, from a server on this machine.

Whoever asks for one of their addresses is led here (`Rerouted`); the Host header says which one was meant.
"""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import RSAKey

ACCESS_TOKEN = "SlAV32hkKG-an-access-token"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that came. `form` is of its body, `query` of its address."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: JSON unless it is bytes."""

    body: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Answers = dict[tuple[str, str], Callable[[Asked], Reply]]


class Recorded:
    """What is answered at each host and path, and what was asked."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.asked: list[Asked] = []

    def at(self, address: str, answer: Callable[[Asked], Reply] | Reply) -> None:
        parts = urlsplit(address)
        self.answers[parts.netloc, parts.path] = answer if callable(answer) else lambda _: answer

    def of(self, path: str) -> list[Asked]:
        """Those that asked for this path."""
        return [one for one in self.asked if one.path == path]


class Rerouted(httpx2.AsyncBaseTransport):
    """Sends each request to this port of this machine, whatever its address."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Not with the client of one exchange: the next one comes by the same way."""


@contextmanager
def serving(recorded: Recorded) -> Generator[Rerouted]:
    """The way to the recorded answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(
                self.command, headers["host"], parts.path, dict(parse_qsl(parts.query)), dict(parse_qsl(body)), headers
            )
            recorded.asked.append(asked)
            answer = recorded.answers.get((asked.host, asked.path))
            reply = answer(asked) if answer else Reply({"message": "Not Found"}, 404)
            sent = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _answer  # noqa: N815 - names of http.server

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="recorded")
    thread.start()
    try:
        yield Rerouted(server.server_address[1])
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


class Issuer:
    """One that signs id tokens. `claims` and `header` change what stands in the next ones."""

    def __init__(self, issuer: str, client: str) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.header: dict[str, str] = {"alg": "RS256", "kid": "one"}
        self.claims: dict[str, object] = {}
        self.nonce = ""
        self._usual = {"iss": issuer, "aud": client}

    def keys(self, _: Asked) -> Reply:
        return Reply({"keys": [self.key.as_dict(private=False)]})

    def token(self, _: Asked) -> Reply:
        """https://openid.net/specs/openid-connect-core-1_0.html#TokenResponse"""
        return Reply(
            {
                "access_token": ACCESS_TOKEN,
                "token_type": "Bearer",
                "expires_in": 3599,
                "scope": "openid email",
                "id_token": self.id_token(),
            }
        )

    def id_token(self) -> str:
        now = int(time.time())
        half = hashlib.sha256(ACCESS_TOKEN.encode()).digest()[:16]
        usual = self._usual | {"iat": now, "exp": now + 3600, "nonce": self.nonce}
        usual["at_hash"] = base64.urlsafe_b64encode(half).rstrip(b"=").decode()
        claims = {name: value for name, value in (usual | self.claims).items() if value is not None}
        return jwt.encode(self.header, claims, self.key, algorithms=[self.header["alg"]])
