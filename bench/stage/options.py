"""How much a benchmark does: all that is promised, for a quiet machine and patience, unless less is asked for."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

SIZES = ("quick", "medium", "full")


@dataclass(frozen=True, slots=True)
class Options:
    """`size` is one of `SIZES`; `runs` is how often each contestant runs; `flower2`: whether Flower 2 is one."""

    size: str
    runs: int
    flower2: bool = True

    def choose(self, *, quick: T, medium: T, full: T) -> T:
        """What fits the size."""
        return {"quick": quick, "medium": medium, "full": full}[self.size]


def parsed(arguments: Sequence[str]) -> tuple[list[str], Options]:
    """The names of benchmarks, and how to run them."""
    parser = argparse.ArgumentParser(prog="./run bench", description="Benchmarks; without a name all, for hours.")
    parser.add_argument("names", nargs="*", help="which; --list tells which there are")
    parser.add_argument("--list", action="store_true", help="tell which there are")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const="quick", help="small, only to see it work")
    size.add_argument("--medium", dest="size", action="store_const", const="medium", help="smaller, for minutes")
    parser.add_argument("--runs", type=int, default=0, help="runs of each contestant (3; 1 with --quick)")
    parser.add_argument("--without-flower2", action="store_true", help="not against Flower 2, which takes long")
    given = parser.parse_args(arguments)
    chosen = given.size or "full"
    runs = given.runs or (1 if chosen == "quick" else 3)
    return (["--list"] if given.list else given.names), Options(chosen, runs, not given.without_flower2)
