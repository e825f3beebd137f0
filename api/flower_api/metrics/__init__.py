"""`/metrics`: what Prometheus is told, from the store alone and so the same on every replica."""
