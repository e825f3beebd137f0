"""Asks a process of ours over HTTP whether it is ready, past any proxy that the environment names."""

import http.client
import ssl
from dataclasses import dataclass

# The loopback answers in milliseconds; a process that is still importing refuses at once.
PATIENCE_SECONDS = 2.0
READY = http.HTTPStatus.OK
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - only compared


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process answers."""

    address: str
    port: int
    root: str = ""
    tls: bool = False

    @property
    def host(self) -> str:
        """An address of this machine that leads there."""
        return ANY_ADDRESS.get(self.address, self.address)

    @property
    def url(self) -> str:
        """For people."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}{self.root}"

    def _connection(self) -> http.client.HTTPConnection:
        """Its certificate names a host of the network, not this loopback; who answers here gets no secret."""
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_SECONDS)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(self.host, self.port, timeout=PATIENCE_SECONDS, context=context)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; status 0 and the reason when there is no answer."""
        connection = self._connection()
        try:
            connection.request("GET", self.root + path, headers={"Accept": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()
