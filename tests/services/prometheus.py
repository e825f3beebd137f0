"""A Prometheus of one's own, as Debian ships it: `scraping(addresses)` gives one that scrapes them every second.

`checked(text)` is what `promtool check metrics` says of an answer: nothing, where all is well.
"""

import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tests.services import programs

from flower_cli.embedded import process

Labels = tuple[tuple[str, str], ...]


class Prometheus:
    """One that runs."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def values(self, expression: str) -> dict[Labels, float]:
        """What an instant query answers, by the labels without the name."""
        answer = self._client.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        assert data["resultType"] == "vector", data
        return {_labels(one["metric"]): float(one["value"][1]) for one in data["result"]}

    def value(self, expression: str) -> float | None:
        """That of one sample; None where there is none."""
        found = self.values(expression)
        assert len(found) < 2, found
        return next(iter(found.values()), None)

    def ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def scraping(addresses: Sequence[str]) -> Generator[Prometheus]:
    """Scrapes these addresses, and nothing else."""
    program = programs.find("prometheus") or programs.missing("Prometheus")
    with tempfile.TemporaryDirectory(prefix="flower-prometheus-") as directory:
        home, port = Path(directory), process.free_port()
        targets = ", ".join(f'"{urlsplit(one).netloc}"' for one in addresses)
        (home / "prometheus.yml").write_text(
            "global: { scrape_interval: 1s, scrape_timeout: 1s }\n"
            f"scrape_configs: [{{ job_name: flower, static_configs: [{{ targets: [{targets}] }}] }}]\n"
        )
        words: list[str | Path] = [program, f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/data",
                 f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
        launched = process.launch(words, home / "prometheus.log", environment={"PATH": programs.SEARCH_PATH})
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                running = Prometheus(client)
                launched.wait_until(running.ready, timedelta(seconds=60))
                yield running
        finally:
            launched.kill()


def checked(text: str) -> str:
    """What promtool finds wrong."""
    program = programs.find("promtool") or programs.missing("promtool")
    found = subprocess.run([program, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    return found.stdout + found.stderr


def _labels(metric: dict[str, str]) -> Labels:
    return tuple(sorted((name, value) for name, value in metric.items() if name != "__name__"))
