"""What benchmarks stand on: servers, the contestants as processes of their own, sizes and reports."""
