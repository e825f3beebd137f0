"""The contract between the collector and the API: tables, records, states, reads, writes and errors.

It holds no HTTP shape, no broker shape, no environment and no retry policy (`docs/architecture.md`).
"""
