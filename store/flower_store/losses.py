"""Why events were, or may have been, lost: the reasons of gaps, each with a sentence for people.

The reasons are a bounded set (they label a metric); what is special to one gap stands in its `detail`.
"""

from collections.abc import Mapping

COLLECTOR_AWAY = "collector_away"
SUBSCRIPTION_LOST = "subscription_lost"
NOT_SUBSCRIBED = "not_subscribed"
BUFFER_FULL = "buffer_full"
QUEUE_MISSING = "queue_missing"
QUEUE_OVERFLOW = "queue_overflow"
QUEUE_EXPIRED = "queue_expired"
STREAM_TRIMMED = "stream_trimmed"
STREAM_LOST = "stream_lost"
NOT_WRITTEN = "not_written"
SPOOL_FULL = "spool_full"
SPOOL_LOST = "spool_lost"
BROKER_RESTARTED = "broker_restarted"
EVENTS_OFF = "events_off"
UNKNOWN = "unknown"

SENTENCES: Mapping[str, str] = {
    COLLECTOR_AWAY: "No collector was running, and this broker keeps no events for one that is away.",
    SUBSCRIPTION_LOST: "The collector's subscription was interrupted, and this broker does not repeat what was missed.",
    NOT_SUBSCRIBED: "No collector was subscribed: what workers without flower_worker sent is missing; the rest was "
    "kept by the stream.",
    BUFFER_FULL: "More events waited in the collector than it may hold, and the oldest were dropped.",
    QUEUE_MISSING: "The collector's queue was not there, and nothing was kept until it was declared again.",
    QUEUE_OVERFLOW: "The collector's queue was full, and the broker dropped the oldest events.",
    QUEUE_EXPIRED: "Events waited in the collector's queue for longer than they may, and the broker dropped them.",
    STREAM_TRIMMED: "The stream was at its bound, and events were trimmed before a collector had read them.",
    STREAM_LOST: "The broker lost the stream, and with it what no collector had read.",
    NOT_WRITTEN: "The collector was stopped before the database had taken what waited in memory.",
    SPOOL_FULL: "The collector's spool on disk was full, and the oldest events were dropped.",
    SPOOL_LOST: "The collector's spool on disk could not be read, and what it held is not in the store.",
    BROKER_RESTARTED: "The broker was restarted, and events on their way to it or undelivered may be gone.",
    EVENTS_OFF: "Workers ran tasks and sent no task events.",
    UNKNOWN: "Why is not known.",
}


def sentence(reason: str) -> str:
    """What this reason means; one that this build does not know, in its own words."""
    return SENTENCES.get(reason) or f"{reason.replace('_', ' ').capitalize()}."


def words(reason: str) -> str:
    """The reason as it stands in the middle of a sentence."""
    return "cause unknown" if reason == UNKNOWN else reason.replace("_", " ")
