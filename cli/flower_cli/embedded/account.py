"""PostgreSQL refuses to run as root: this finds an account that it accepts, without making one and without
touching permissions outside our own directory.

- a normal user: nothing to do.
- root, or a user id without a name (some containers), where user namespaces work: the server sees itself as
  nobody, and may still read all that its owner may.
- root without them (default containers): it becomes nobody, so what it needs must lie where nobody can reach.
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from flower_cli.embedded import errors
from flower_cli.embedded.binaries import Binaries

NOBODY = 65534
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
CHANGE_USER = (
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """How PostgreSQL runs here: words before a command, programs it can read, the user that owns its data."""

    prefix: tuple[str, ...]
    binaries: Binaries
    owner: int

    def give(self, data: Path) -> None:
        """Make the account the owner of all of `data`, which another way of running may have made."""
        if data.stat().st_uid == self.owner:
            return
        os.chown(data, self.owner, self.owner)
        for path in data.rglob("*"):
            os.chown(path, self.owner, self.owner, follow_symlinks=False)


def fitting(binaries: Binaries, home: Path) -> Account:
    """The first of the ways that works here; `home` is the server's own directory and exists."""
    user = os.geteuid()
    if user != 0 and _has_name(user):
        return Account((), binaries, user)
    if _namespaces_work():
        return Account(NAMESPACE, binaries, user)
    if user != 0:
        raise errors.Unusable(f"PostgreSQL cannot run as user {user}, who has no name here: add it to /etc/passwd")
    return as_nobody(binaries, home)


def as_nobody(binaries: Binaries, home: Path) -> Account:
    """Let nobody pass through `home`, and copy the programs into it if they are out of reach elsewhere."""
    blocked = _closed_to_others(home.resolve().parent)
    if blocked is not None:
        raise errors.Unusable(
            f"PostgreSQL cannot run as root here, and no other account may enter {blocked}: "
            f"choose a data directory outside of it"
        )
    home.chmod(0o711)
    reachable = binaries if _closed_to_others(binaries.directory) is None else binaries.copied_to(home / "programs")
    return Account(CHANGE_USER, reachable, NOBODY)


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _namespaces_work() -> bool:
    if shutil.which(NAMESPACE[0]) is None:
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def _closed_to_others(path: Path) -> Path | None:
    """The outermost directory on the way to `path` that other accounts may not enter."""
    way = [*reversed(path.resolve().parents), path.resolve()]
    return next((step for step in way if not step.stat().st_mode & stat.S_IXOTH), None)
