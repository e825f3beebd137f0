"""A scrape as Prometheus makes one, read by the client library's own parsers."""

from collections.abc import Iterable

import httpx
from prometheus_client import parser
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

Series = dict[tuple[str, ...], float]
"""Values by those labels' values that were asked for."""


def scraped(client: httpx.Client) -> dict[str, Metric]:
    """Families by name, in the format 0.0.4."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", answer.headers
    return _once(parser.text_string_to_metric_families(answer.text))


def scraped_openly(client: httpx.Client) -> dict[str, Metric]:
    """Families by name, in OpenMetrics."""
    answer = client.get("/metrics", headers={"Accept": OPENMETRICS})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    return _once(openmetrics_parser.text_string_to_metric_families(answer.text))  # type: ignore[no-untyped-call]


def series(families: dict[str, Metric], name: str, *labels: str) -> Series:
    """The samples of this name; no two have the same labels."""
    found: Series = {}
    for sample in (one for family in families.values() for one in family.samples if one.name == name):
        key = tuple(sample.labels[label] for label in labels)
        assert key not in found, (name, key)
        found[key] = sample.value
    return found


def _once(families: Iterable[Metric]) -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    for one in families:
        assert one.name not in found, one.name
        samples = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in one.samples]
        assert len(samples) == len(set(samples)), one.name
        found[one.name] = one
    return found
