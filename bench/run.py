"""Runs a benchmark by name, or lists them: every other file of this directory is one, and says what it measures."""

import ast
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def benchmarks() -> dict[str, Path]:
    return {path.stem: path for path in sorted(HERE.glob("*.py")) if path.stem not in ("__init__", "run")}


def purpose(path: Path) -> str:
    """The first line of its docstring."""
    text = ast.get_docstring(ast.parse(path.read_text())) or "says nothing about itself"
    return text.splitlines()[0]


def main(arguments: list[str]) -> int:
    known = benchmarks()
    if not arguments:
        print(*(f"./run bench {name:20} {purpose(path)}" for name, path in known.items()), sep="\n")
        return 0
    name, *rest = arguments
    if name not in known:
        print(f"there is no benchmark {name}; there are: {', '.join(known) or 'none yet'}", file=sys.stderr)
        return 2
    return subprocess.run([sys.executable, str(known[name]), *rest], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
