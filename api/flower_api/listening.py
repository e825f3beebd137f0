"""Where requests come from: one TCP port or one Unix socket, bound before anything starts, and TLS for it."""

import errno
import os
import socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path

from flower_api.settings import ApiSettings
from flower_store.settings import SettingError


class CannotListen(SettingError):
    """The address, the port, the socket or a file of TLS cannot be had."""


def bound(settings: ApiSettings) -> socket.socket:
    """What to accept connections from. Raises CannotListen."""
    made = _unix(settings) if settings.unix_socket else _tcp(settings)
    made.setblocking(False)
    return made


def address(settings: ApiSettings, listening: socket.socket) -> str:
    """Where the application is: a URL, or for a Unix socket `http+unix://` and its path."""
    scheme = "https" if settings.certfile else "http"
    if settings.unix_socket:
        return f"{scheme}+unix://{settings.unix_socket}"
    host, port = listening.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{settings.root}"


def tls(settings: ApiSettings) -> ssl.SSLContext | None:
    """Python's defaults for servers (TLS 1.2 or newer); None where TLS is not wanted. Raises CannotListen."""
    if not settings.certfile:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    for name in ("certfile", "keyfile", "ca_certs"):
        _check_file(name, getattr(settings, name))
    try:
        # Without a function OpenSSL would ask the terminal for the password of a key, and wait.
        context.load_cert_chain(settings.certfile, settings.keyfile or None, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        rule = f"is no certificate with its private key in PEM, without a password ({_reason(error)})"
        raise CannotListen("certfile", settings.certfile, rule) from error
    if settings.ca_certs:
        _ask_clients(context, settings.ca_certs)
    return context


def file_of(settings: ApiSettings) -> tuple[int, int] | None:
    """Device and inode of the Unix socket's file. Another file has others for as long as the socket is open."""
    try:
        found = Path(settings.unix_socket).lstat() if settings.unix_socket else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


def remove(settings: ApiSettings, ours: tuple[int, int] | None) -> None:
    """Take the socket's file away, if it is still ours, before the socket is closed; a TCP port goes by itself."""
    if ours and file_of(settings) == ours:
        with suppress(OSError):
            Path(settings.unix_socket).unlink()


def _ask_clients(context: ssl.SSLContext, authorities: str) -> None:
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError as error:
        raise CannotListen("ca_certs", authorities, f"holds no certificates in PEM ({_reason(error)})") from error
    context.verify_mode = ssl.CERT_REQUIRED


def _check_file(name: str, path: str) -> None:
    try:
        if path:
            Path(path).open("rb").close()
    except OSError as error:
        raise CannotListen(name, path, f"cannot be read ({error.strerror})") from error


def _reason(error: Exception) -> str:
    return (error.reason if isinstance(error, ssl.SSLError) else None) or str(error)


def _tcp(settings: ApiSettings) -> socket.socket:
    host, port = settings.address, settings.port
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListen("address", host, f"is no address of this machine ({error.strerror})") from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(where)
        made.listen(2048)
    except OSError as error:
        made.close()
        raise _refused(error, settings) from error
    return made


def _refused(error: OSError, settings: ApiSettings) -> CannotListen:
    if error.errno == errno.EADDRINUSE:
        return CannotListen("port", settings.port, f"is taken by another program on {settings.address}")
    if error.errno == errno.EACCES:
        return CannotListen("port", settings.port, "may not be opened by this user: take one above 1023")
    return CannotListen("address", settings.address, f"cannot be listened on ({error.strerror})")


def _unix(settings: ApiSettings) -> socket.socket:
    """A process that died leaves its file behind: one that nobody listens on is taken over, and nothing else."""
    path = settings.unix_socket
    _clear(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Between bind and chmod nobody else may connect. No other thread runs yet: the mask is the process's.
        before = os.umask(0o177)
        try:
            made.bind(path)
        finally:
            os.umask(before)
        Path(path).chmod(int(settings.unix_socket_mode, 8))
        made.listen(2048)
    except OSError as error:
        made.close()
        raise CannotListen("unix_socket", path, f"cannot be listened on ({error.strerror or error})") from error
    return made


def _clear(path: str) -> None:
    try:
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            raise CannotListen("unix_socket", path, "is there and no socket")
    except OSError:
        return  # not there, or not to be seen: bind has the word
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
        except OSError:
            return
        else:
            raise CannotListen("unix_socket", path, "is taken by another program")
