"""`flower up`: database, collector, API and dashboard for one Celery cluster, in one process tree.

Collector and API are processes of their own, so that neither waits for the other's interpreter lock, and each is
started again if it ends by itself.
"""

import errno
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flower_api.settings import ApiSettings
from flower_cli import broker, cluster, logs, machine, named_database, waiting
from flower_cli.child import Child
from flower_cli.configuration import Configuration
from flower_cli.embedded import process
from flower_cli.embedded.postgres import Postgres
from flower_cli.machine import Machine
from flower_cli.progress import Progress
from flower_cli.readiness import Place
from flower_cli.settings import LogSettings, MachineSettings
from flower_cli.stopping import Stop, Stopped
from flower_collector.settings import CollectorSettings
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import SettingError, StoreSettings

# What a process may take beyond its own stop_timeout before it is killed.
GRACE = timedelta(seconds=5)


def run(configuration: Configuration) -> None:
    """Run until a signal comes; raises Refused or Failed."""
    logs.start(configuration)
    pair = Pair.planned(configuration)
    cluster.check(configuration)
    progress = Progress(sys.stdout, live=False)
    with Stop() as stop, Machine(configuration, stop=stop, progress=progress) as tree:
        try:
            _run(configuration, tree, pair, stop=stop, progress=progress)
        except Stopped:
            return


def _run(configuration: Configuration, tree: Machine, pair: "Pair", *, stop: Stop, progress: Progress) -> None:
    url = configuration.settings(StoreSettings).database_url
    if not url:
        url = tree.serve("PostgreSQL", embedded_postgres(configuration, "up", stop=stop))
    tree.migrate(url)
    pair.start(tree, url, changes=_spool(configuration))
    pair.await_ready(tree)
    progress.say(f"Flower is up at {pair.api.url}")
    tree.watch()


def _spool(configuration: Configuration) -> dict[str, str]:
    """Beside the other data, where somebody said where that lies."""
    if "data_dir" not in configuration.given or "spool_dir" in configuration.given:
        return {}
    return {"spool_dir": str(configuration.settings(MachineSettings).directory("up") / "spool")}


def embedded_postgres(configuration: Configuration, name: str, *, stop: Stop) -> Postgres:
    """The server of our own, with its data in the data directory."""
    settings = configuration.settings(MachineSettings)
    return Postgres(settings.directory(name) / "postgres", bin_dir=settings.programs, wait=stop.pause)


@dataclass(frozen=True, slots=True)
class Pair:
    """A collector and an API, as two processes."""

    configuration: Configuration
    collector: Place
    api: Place

    @classmethod
    def planned(cls, configuration: Configuration) -> "Pair":
        """Where they will answer; raises Refused for what would fail later, such as a port that is taken."""
        for room in (StoreSettings, RetentionSettings, LogSettings, MachineSettings):
            configuration.settings(room)
        named_database.check(configuration)
        collector = configuration.settings(CollectorSettings)
        api = configuration.settings(ApiSettings)
        _check_reachable(configuration, api)
        # 5556 may belong to another tree on this machine; who names a port wants that one.
        named = "collector_port" in configuration.given and collector.collector_port
        _check_free(configuration, api)
        return cls(
            configuration,
            Place(collector.collector_address, named or process.free_port()),
            Place(api.address, api.port or process.free_port(), api.root, tls=bool(api.certfile)),
        )

    def start(
        self, tree: Machine, database_url: str, *, logs_in: Path | None = None, changes: Mapping[str, object]
    ) -> None:
        """Start both; `changes` are settings that the composition decides, such as the demo's broker."""
        collecting = {**changes, "collector_port": self.collector.port}
        tree.run(self._child("collector", (CollectorSettings, RetentionSettings), logs_in, collecting, database_url))
        tree.run(self._child("api", (ApiSettings,), logs_in, {"port": self.api.port}, database_url))

    def await_ready(self, tree: Machine) -> None:
        """Wait until both say that they are ready."""
        named = broker.called(self.configuration.settings(CollectorSettings))
        tree.await_ready("starting collector and API", waiting.on_pair(self.collector, self.api, broker=named))

    def _child(
        self, name: str, own: Sequence[type], logs_in: Path | None, changes: dict[str, object], database_url: str
    ) -> Child:
        rooms = (*own, StoreSettings, LogSettings)
        variables = self.configuration.variables(*rooms, database_url=database_url, **changes)
        return Child(
            name,
            machine.own_command(name),
            machine.environment(variables),
            log=logs_in / f"{name}.log" if logs_in else None,
            patience=self.configuration.settings(own[0]).stop_timeout + GRACE,
        )


def _check_reachable(configuration: Configuration, settings: ApiSettings) -> None:
    for name in ("unix_socket", "ca_certs"):
        if getattr(settings, name):
            rule = "is for `flower api` alone: this command has to ask its own API whether it is ready"
            raise configuration.refusal(SettingError(name, getattr(settings, name), rule))


def _check_free(configuration: Configuration, settings: ApiSettings) -> None:
    """Find out about a taken port before a database is started for nothing; the API itself has the last word."""
    with socket.socket(socket.AF_INET6 if ":" in settings.address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.address, settings.port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "is taken by another program" if taken else f"cannot be had ({error.strerror})"
            broken = SettingError("port", settings.port, f"{reason} on {settings.address}")
            raise configuration.refusal(broken) from error
