"""Ends a demo worker's pool processes with the worker; Celery imports this in each worker (`--include`).

A pool process that works on a task notices its worker's death when the task is over, and then looks for the broker
for a while: a minute in all with the demo's long task. The kernel does not wait.
"""

import ctypes
import signal
import sys

from celery.signals import worker_process_init

# prctl(2): the calling process gets this signal when the thread that made it ends.
PR_SET_PDEATHSIG = 1


def end_with_worker(**_details: object) -> None:
    """Ask the kernel, where there is one that can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


worker_process_init.connect(end_with_worker, weak=False)
