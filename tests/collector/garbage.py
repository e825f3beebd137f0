"""What a broker may bring besides events, and the reason under which each is set aside."""

import math
from collections import Counter

from tests.collector.messages import body
from tests.collector.publishing import Publisher

GARBAGE = (
    (b"not JSON", "application/json", "not_json"),
    (b"[1]", "application/json", "not_an_event"),
    (body(uuid="x" * 10_000), "application/json", "task_id_too_long"),
    (body(uuid="a\0b"), "application/json", "nul"),
    (body(timestamp=math.nan), "application/json", "not_finite"),
    (body(type="order-placed"), "application/json", "unknown_type"),
    (b"\x80\x04N.", "application/x-python-serialize", "content_type"),
    (b"", "application/json", "not_json"),
)
REASONS = Counter(reason for _, _, reason in GARBAGE) + Counter(["compressed"])


def publish(publisher: Publisher) -> None:
    """One of each."""
    for content, content_type, _ in GARBAGE:
        publisher.publish(content, content_type=content_type)
    publisher.publish(b"BZh9", headers={"compression": "application/x-bz2"})
