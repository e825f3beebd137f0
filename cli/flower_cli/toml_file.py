"""The settings that a TOML file holds: one flat table, each key the name of a setting."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from flower_cli import errors, flower2, suggestions
from flower_cli import given as sources
from flower_cli.declarations import FILE, Declarations
from flower_cli.given import Given, Ignored, Reading


def read(path: Path, known: Declarations) -> Reading:
    """What the file gives; raises Refused for a file that cannot be read and for an unknown key."""
    table = _table(path)
    missing = flower2.missing(known)
    collected: dict[str, Given] = {}
    for key, value in table.items():
        if key not in missing:
            sources.once(collected, *_setting(f"`{key}` in {path}", key, value, known))
    ignored = (Ignored(f"`{key}` in {path}", missing[key], key) for key in table if key in missing)
    return Reading(collected, tuple(ignored))


def _table(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise errors.Refused(f"--config: {path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.Refused(f"--config: {path}: is not TOML: {error}") from error


def _setting(source: str, key: str, value: object, known: Declarations) -> tuple[str, Given]:
    if isinstance(value, dict):
        raise errors.Refused(f"{source}: settings stand at the top of the file, not in sections")
    if key in known:
        return key, Given(source, value)
    secret = key.removesuffix(FILE)
    if secret != key and secret in known and known[secret].secret:
        return secret, sources.from_file(source, str(value))
    raise errors.Refused(f"unknown key {source}{suggestions.did_you_mean(key, known)}")
