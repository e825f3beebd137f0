"""What somebody asked for by the outbox, done: workers are told, tasks are sent, results are looked up.

listener ──▶ desk (claims, answers) ──▶ a thread a command: execution ──▶ broadcasts | sending | lookups
                  ▲                                 │ ending
                  └─────────────────────────────────┘
"""

import threading
from collections.abc import Sequence
from functools import partial

from flower_collector import redaction
from flower_collector.commands.desk import Desk
from flower_collector.commands.execution import Execution
from flower_collector.commands.listener import Listener
from flower_collector.commands.lookups import Lookups
from flower_collector.shared import Shared
from flower_store import claims


def threads(shared: Shared) -> Sequence[Desk | Listener]:
    """What serves the outbox, to be started, and to be asked to `finish`."""
    settings = shared.settings
    wake, stopping = threading.Event(), threading.Event()
    rules = redaction.of(settings)
    found = Lookups(shared.app, settings.result_backend, unpickle=settings.unpickle_results, redaction=rules)
    desk = Desk(
        shared.writer(),
        Execution(shared.app, shared.kind, found, stopping=stopping, redaction=rules),
        collector=shared.instance.id,
        wake=wake,
        stopping=stopping,
        redaction=rules,
        counter=shared.metrics.commands,
        backoff=shared.backoff(),
    )
    return desk, Listener(partial(claims.listening, shared.store), wake=wake, backoff=shared.backoff())
