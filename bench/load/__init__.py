"""The load: what a busy Celery cluster publishes, made beforehand and sent faster than a reader can take it.

`traffic` makes messages of events from a seed; `amqp` and `redis` put them on a broker as kombu does; `publish` is the
process that sends; `sender` starts it.
"""
