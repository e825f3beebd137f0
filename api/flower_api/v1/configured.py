"""`/api/v1/settings`: what this process runs with. Settings are read at its start, and no address changes one."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from litestar import get
from litestar.di import NamedDependency

from flower_api.v1 import parameters


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, by its name in a file of settings. `value` and `default` are as they would be written there.

    - A `secret` one has a null `value`, whether it is set or not: `is_set` tells that.
    - `source` is the option, the variable or the file that gave it, or `default`.
    """

    name: str
    section: str
    value: str | None
    default: str | None
    source: str
    secret: bool
    is_set: bool
    meaning: str


class Ignored(msgspec.Struct, frozen=True, kw_only=True):
    """What was given and has no effect."""

    source: str
    reason: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of this API process; a collector and another replica have their own."""

    settings: list[Setting]
    ignored: list[Ignored]


@dataclass(frozen=True, slots=True)
class Configured:
    """What the composition knows of where settings came from. Secrets are not in it."""

    settings: Sequence[Setting] = ()
    ignored: Sequence[Ignored] = ()


NOTHING_KNOWN = Configured()
"""Where whoever composes the application does not say."""


@get(
    "/settings",
    responses={
        200: parameters.answered(Settings, "the settings")[200],
        400: parameters.REFUSALS[400],
        401: parameters.REFUSALS[401],
        403: parameters.problem("only an admin of every cluster sees them"),
    },
    summary="What this process runs with",
    tags=["settings"],
)
async def list_settings(configured: NamedDependency[Configured]) -> Settings:
    """Every setting with its source; secrets are not shown to anybody."""
    return Settings(settings=list(configured.settings), ignored=list(configured.ignored))
