"""The options of Flower 2 and its environment that this build does not have, so that moving to it starts and says what
it leaves out. Names: Flower's documentation of its configuration, and of tornado.log, whose options it also took.
"""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

NOT_YET = "not supported yet by this build"
_STORED = "no longer needed: history is kept in PostgreSQL"
_LOGGED = "use --log-level and --log-format"

REMARKS: Mapping[str, str] = MappingProxyType(
    {
        "conf": "Python files are not read: use --config with a TOML file",
        "debug": "use --log-level",
        "db": _STORED,
        "persistent": _STORED,
        "state_save_interval": _STORED,
        "max_tasks": _STORED,
        "max_workers": _STORED,
        "format_task": "a Python function cannot be a setting here",
        "auto_refresh": "no longer needed: pages are live",
        "logging": _LOGGED,
        "log_to_stderr": "no longer needed: logs go to standard error",
        "log_file_prefix": _LOGGED,
        "log_file_max_size": _LOGGED,
        "log_file_num_backups": _LOGGED,
        "log_rotate_when": _LOGGED,
        "log_rotate_interval": _LOGGED,
        "log_rotate_mode": _LOGGED,
        **dict.fromkeys(
            (
                "broker_api",
                "inspect_timeout",
                "natural_time",
                "read_only",
                "tasks_columns",
                "unauthenticated_api",
                "url_prefix",
            ),
            NOT_YET,
        ),
    }
)

# Flower counted these in milliseconds. As seconds, its default of 1000 would be a quarter of an hour.
MILLISECONDS = frozenset({"inspect_timeout"})
_BARE_NUMBER = re.compile(r"\d+(\.\d+)?")


def missing(known: Collection[str]) -> Mapping[str, str]:
    """The names that none of `known` settings has, and what to say about each."""
    return {name: remark for name, remark in REMARKS.items() if name not in known}


def check_unit(name: str, text: str) -> None:
    """Raise ValueError for a bare number where Flower's unit was another."""
    if name in MILLISECONDS and _BARE_NUMBER.fullmatch(text.strip()) and float(text) > 0:
        raise ValueError(f"needs its unit, because Flower's plain numbers were milliseconds: write {text.strip()}ms")
