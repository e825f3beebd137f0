"""Ports for servers that are started here."""

import errno
import socket
from contextlib import ExitStack

import pytest

from flower_cli.embedded import process


def test_a_port_is_free_and_is_none_that_outgoing_connections_get() -> None:
    port = process.free_port()

    assert process.PORTS[0] <= port < process.PORTS[1] < 32_768
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))


def test_where_all_ports_are_taken_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    first = process.free_port()
    monkeypatch.setattr(process, "PORTS", (first, first + 1))
    monkeypatch.setattr(process, "TRIED_PORTS", 1)

    with ExitStack() as taken:
        taken.enter_context(socket.socket()).bind(("127.0.0.1", first))
        with pytest.raises(OSError, match="are taken") as raised:
            process.free_port()

    assert raised.value.errno == errno.EADDRINUSE
    assert process.free_port() == first
