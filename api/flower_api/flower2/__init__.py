"""Flower 2's REST API, key by key and message by message; what differs on purpose is in `docs/flower-compat.md`."""
