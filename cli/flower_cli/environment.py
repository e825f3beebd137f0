"""The settings that the environment holds, as `FLOWER_*` variables; nothing else in this project reads it.

Kubernetes writes variables about a Service called `flower` into every pod beside it, such as
`FLOWER_PORT=tcp://10.0.0.1:5555` (its manual, "Discovering services"): those are not ours and never an error.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from flower_cli import declarations, errors, flower2, suggestions
from flower_cli import given as sources
from flower_cli.declarations import FILE, PREFIX, Declarations
from flower_cli.given import Given, Ignored, Reading

CONFIG = "FLOWER_CONFIG"
_INJECTED_NAME = re.compile(
    r"FLOWER(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_INJECTED_PORT = re.compile(r"(tcp|udp|sctp)://")

COMMON_NAMES: Mapping[str, str] = MappingProxyType({"broker": "CELERY_BROKER_URL", "app": "CELERY_APP"})
"""Celery's own variables; ours win. Celery itself sets the first from `celery -b`."""


def read(environ: Mapping[str, str], known: Declarations, common: Mapping[str, str] = COMMON_NAMES) -> Reading:
    """What the environment gives; raises Refused for an unknown variable.

    An empty variable is one that was not given: a container file often cannot leave one out.
    `common` names variables of other programs that also give a setting.
    """
    collected: dict[str, Given] = {}
    ignored: list[Ignored] = []
    for variable, value in sorted(environ.items()):
        name = variable.upper()
        if not name.startswith(PREFIX) or name == CONFIG or not value or _INJECTED_NAME.fullmatch(name):
            continue
        setting = name.removeprefix(PREFIX).lower()
        if reason := _ignorable(setting, value, known):
            ignored.append(Ignored(variable, reason, setting))
        elif not (name.endswith("_PORT") and _INJECTED_PORT.match(value)):
            sources.once(collected, *_setting(variable, value, known))
    for setting, variable in common.items():
        if setting in known and environ.get(variable):
            collected.setdefault(setting, Given(variable, environ[variable]))
    return Reading(collected, tuple(ignored))


def _ignorable(setting: str, value: str, known: Declarations) -> str | None:
    if setting in known and setting.endswith("port") and _INJECTED_PORT.match(value):
        return "this is Kubernetes' variable for a Service of this name, not a port"
    return flower2.missing(known).get(setting)


def _setting(variable: str, value: str, known: Declarations) -> tuple[str, Given]:
    setting = variable.upper().removeprefix(PREFIX).lower()
    if setting in known:
        return setting, Given(variable, value)
    secret = setting.removesuffix(FILE)
    if secret != setting and secret in known and known[secret].secret:
        return secret, sources.from_file(variable, value)
    guess = suggestions.did_you_mean(variable.upper(), map(declarations.variable, known))
    raise errors.Refused(f"unknown variable `{variable}`{guess}")
