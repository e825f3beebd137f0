"""The front end's sources have types that hold, as Python's do."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

WEB = Path(__file__).parents[2] / "web"


def build_hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", WEB / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_scripts_types_hold(tmp_path: Path) -> None:
    sources = tmp_path / "frontend"
    shutil.copytree(WEB / "frontend", sources, ignore=shutil.ignore_patterns("node_modules"))
    node, npm = build_hook().toolchain()
    environ = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}  # noqa: TID251 - of a process
    install = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(install, cwd=sources, env=environ, check=True, capture_output=True)

    checked = subprocess.run(
        [*npm, "run", "--silent", "check"], cwd=sources, env=environ, check=False, capture_output=True, text=True
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
