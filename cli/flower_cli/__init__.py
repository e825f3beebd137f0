"""Composition: reads the environment once, builds the rooms, starts and stops them (`docs/architecture.md`)."""
