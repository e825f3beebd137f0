"""The house stands as docs/architecture.md says: floors, doors, and who may read the environment."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("api", "cli", "collector", "migrations", "store", "web", "worker")
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv"}


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room / f"flower_{room}").rglob("*.py"))


def test_imports_go_down_only() -> None:
    answer = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "cli"])
def test_only_the_cli_reads_the_environment(room: str) -> None:
    readers = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(room)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute | ast.alias) and _name(node) in ENVIRONMENT
    ]

    assert not readers


def test_the_add_on_imports_celery_kombu_and_the_standard_library_alone() -> None:
    allowed = {"celery", "kombu", "flower_worker", *sys.stdlib_module_names}

    imported = {name for path in sources("worker") for name in _imported(ast.parse(path.read_text()))}

    assert imported - allowed == set()


def test_the_add_on_is_written_for_the_oldest_python_of_its_users() -> None:
    for path in sources("worker"):
        ast.parse(path.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_one_typed_package(room: str) -> None:
    package = ROOT / room / f"flower_{room}"

    assert (package / "py.typed").is_file()
    # A loose module beside the package would be importable under its bare name: the folder is on the path.
    assert not list((ROOT / room).glob("flower_*.py"))
    assert [path.name for path in (ROOT / room).glob("*/__init__.py")] in ([], ["__init__.py"])


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_says_what_it_is_for(room: str) -> None:
    silent = [
        str(path.relative_to(ROOT)) for path in sources(room) if ast.get_docstring(ast.parse(path.read_text())) is None
    ]

    assert not silent


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def _name(node: ast.Attribute | ast.alias) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.name
