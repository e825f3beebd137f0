"""Asking the broker how full its queues are.

`rabbitmq`, `redis` and `other` know one kind of broker each; `sampler` is the thread, and nobody waits for it.
"""
