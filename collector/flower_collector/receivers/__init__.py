"""Receivers: one a kind of broker. Each owns its connection and its thread, and hands messages to the buffer."""
