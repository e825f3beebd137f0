"""How our cookies are sent: for TLS alone where there is any, kept from scripts, and from other sites' requests."""

from litestar.datastructures import Cookie

from flower_api import gate, wire
from flower_api.access.guard import Connection
from flower_api.settings import ApiSettings


class Cookies:
    """Cookies of this instance, by their bare names."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings

    def given(self, connection: Connection, name: str) -> str:
        """What the request brings; empty where it brings none."""
        return connection.cookies.get(self._name(connection, name), "")

    def send(self, connection: Connection, name: str, value: str, *, seconds: int) -> None:
        """With the answer to this request."""
        cookie = Cookie(
            key=self._name(connection, name),
            value=value,
            path=self._settings.root or "/",
            max_age=seconds,
            secure=self._secure(connection),
            httponly=True,
            samesite="lax",
        )
        wire.add_cookie(connection.scope, cookie.to_header(header=""))

    def take_away(self, connection: Connection, name: str) -> None:
        """Have the browser forget it."""
        self.send(connection, name, "", seconds=0)

    def kept(self, connection: Connection) -> bool:
        """Whether the browser will send one back: not one for TLS alone to a page without it."""
        return not (self._secure(connection) and connection.headers.get("origin", "").startswith("http://"))

    def _name(self, connection: Connection, name: str) -> str:
        """With a prefix by which browsers let no other host and no page without TLS set it (RFC 6265bis §4.1.3)."""
        if not self._secure(connection):
            return name
        return f"__Secure-{name}" if self._settings.root else f"__Host-{name}"

    def _secure(self, connection: Connection) -> bool:
        if connection.scope["scheme"] == "https":
            return True
        return not (self._settings.insecure_cookies or gate.named_local(connection.headers.get("host", "")))
