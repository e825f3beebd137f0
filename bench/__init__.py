"""Benchmarks: `./run bench` lists them, `./run bench NAME` runs one."""
