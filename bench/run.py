"""Runs benchmarks: every other file of this directory is one, and says what it measures."""

import ast
import importlib
import signal
import sys
from pathlib import Path
from types import FrameType

from bench.stage import options

HERE = Path(__file__).parent


def benchmarks() -> dict[str, Path]:
    return {path.stem: path for path in sorted(HERE.glob("*.py")) if path.stem not in ("__init__", "run")}


def purpose(path: Path) -> str:
    """The first line of its docstring."""
    text = ast.get_docstring(ast.parse(path.read_text())) or "says nothing about itself"
    return text.splitlines()[0]


def main(arguments: list[str]) -> int:
    known = benchmarks()
    names, chosen = options.parsed(arguments)
    if names == ["--list"]:
        print(*(f"./run bench {name:20} {purpose(path)}" for name, path in known.items()), sep="\n")
        return 0
    for name in names:
        if name not in known:
            print(f"there is no benchmark {name}; there are: {', '.join(known)}", file=sys.stderr)
            return 2
    # As Ctrl-C: every block that holds a process ends it.
    signal.signal(signal.SIGTERM, _end)
    for name in names or known:
        print(f"\n{name}: {purpose(known[name])}", flush=True)
        importlib.import_module(f"bench.{name}").main(chosen)
    return 0


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
