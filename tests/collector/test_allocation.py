"""Memory of large messages goes back to the kernel."""

import subprocess
import sys

import pytest

from flower_collector import allocation

GROWN = """
import sys
from pathlib import Path
from flower_collector import allocation

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "settled":
    allocation.settle()
first = b"x" * 20_000_000  # freed, it makes glibc keep whatever is smaller
del first
before = resident()
blocks = [bytes([number]) * 2_000_000 for number in range(20)]
pinned = b"x" * 100_000  # above them, as something always is
del blocks
print(resident() - before)
"""


def grown(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", GROWN, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not allocation.known(), reason="the allocator is not glibc's")
def test_what_large_messages_took_is_given_back_though_something_lies_above_it() -> None:
    assert grown("settled") < 2_000_000
    assert grown("as it is") > 30_000_000
