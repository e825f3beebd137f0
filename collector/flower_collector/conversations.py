"""Which conversations a collector has with its cluster's workers, as its broker and its settings have it."""

from collections.abc import Callable, Sequence

from flower_collector.control import ControlThread
from flower_collector.conversation import Conversation
from flower_collector.prober import Prober
from flower_collector.returns import Returns
from flower_collector.shared import Shared
from flower_collector.strangers import Strangers
from flower_collector.switch import Switch
from flower_collector.writer import Totals

_PROBED = frozenset({"amqp", "redis"})
"""Transports whose events a probe may travel with: on others a queue that nobody reads would fill with them."""


def conversations(
    shared: Shared, *, subscribed: bool, totals: Totals, settled: Callable[[], bool], leads: Callable[[], bool]
) -> Sequence[Conversation]:
    """The threads, not yet started. `subscribed` is whether events come by a subscription, `settled` whether broker
    and database answer."""
    talking: list[Conversation] = [_control(shared, leads)]
    if shared.kind in _PROBED and shared.settings.probe_interval and not _stream_alone(shared):
        sending = _returns(shared, settled).sending if subscribed else _nobody
        talking.append(_prober(shared, leads, sending))
    if subscribed or _stream_alone(shared):  # workers publish beside what they append
        talking.append(_strangers(shared, leads, totals=totals, settled=settled))
    if shared.settings.enable_events:
        talking.append(_switch(shared, leads))
    return talking


def _stream_alone(shared: Shared) -> bool:
    """Whether probes, which are published, would not come back."""
    return shared.kind == "redis" and shared.settings.redis_mode == "stream"


def _control(shared: Shared, leads: Callable[[], bool]) -> ControlThread:
    return ControlThread(
        shared.app,
        shared.writer(),
        settings=shared.settings,
        arrivals=shared.arrivals,
        leads=leads,
        backoff=shared.backoff(),
    )


def _prober(shared: Shared, leads: Callable[[], bool], sending: Callable[[], None]) -> Prober:
    return Prober(
        shared.app,
        name=shared.settings.cluster,
        hostname=shared.instance.hostname,
        instance=shared.instance.id,
        every=shared.settings.probe_interval,
        leads=leads,
        backoff=shared.backoff(),
        sending=sending,
    )


def _nobody() -> None:
    """Nobody waits for a probe."""


def _returns(shared: Shared, settled: Callable[[], bool]) -> Returns:
    returns = Returns(shared.found, instance=shared.instance.id, settled=settled)
    shared.echoes.listen(returns.heard)
    return returns


def _strangers(shared: Shared, leads: Callable[[], bool], *, totals: Totals, settled: Callable[[], bool]) -> Strangers:
    return Strangers(
        shared.app,
        shared.found,
        heard=lambda: shared.arrivals.heard + totals.stored,
        settled=settled,
        leads=leads,
        backoff=shared.backoff(),
    )


def _switch(shared: Shared, leads: Callable[[], bool]) -> Switch:
    return Switch(
        shared.app,
        every=shared.settings.enable_events_interval,
        arrivals=shared.arrivals,
        leads=leads,
        backoff=shared.backoff(),
    )
