"""docs/configuration.md, made of the declarations: `flower reference > docs/configuration.md`. A test compares."""

from collections.abc import Iterator

from flower_cli import declarations, flower2, rooms, values
from flower_cli.declarations import Declaration

INTRODUCTION = """\
# Configuration

<!-- Made by `flower reference`: change the declarations, not this file. -->

Each setting has one name in three forms: the option `--flush-after`, the variable `FLOWER_FLUSH_AFTER` and the key
`flush_after` of a TOML file, which `--config FILE` or `FLOWER_CONFIG` names. The option goes before the variable, the
variable before the file, the file before the default. `flower config` shows which value won, and where it came from.

- The TOML file is one flat table.
- An unknown option, variable `FLOWER_…` or key is refused, with a guess at what was meant. An empty variable counts as
  not given.
- **Secrets** (marked so below) may be read from files: `--database-url-file FILE`, `FLOWER_DATABASE_URL_FILE`,
  `database_url_file`. They appear in no log, page or error.
- **Durations** are written `250ms`, `5s`, `10m`, `2h` or `1d`; a plain number is seconds.
- **Lists** are separated by commas.
- **True** is `true`, `yes`, `y`, `t`, `on` or `1`; **false** is `false`, `no`, `n`, `f`, `off` or `0`.
- What Kubernetes writes for a Service called `flower`, such as `FLOWER_PORT=tcp://10.0.0.1:5555`, is ignored.
- A broken rule ends the start with one sentence and exit status 2.

`flower up` and `flower demo` also take the port from `PORT`, and the demo its rate from `RATE`. The broker and the app
are also read from Celery's `CELERY_BROKER_URL` and `CELERY_APP`. Redis by TLS, socket or Sentinel, and its options:
[redis.md](redis.md).
"""

FLOWER2 = """\
## Coming from Flower 2

Names may be written with `-` or `_`, as there. These options and variables of Flower 2 are accepted with a warning and
have no effect in this build.

| Name | Remark |
|---|---|
"""


def markdown() -> str:
    """The whole document."""
    return "\n".join([INTRODUCTION, *_rooms(), FLOWER2 + "\n".join(_flower2()) + "\n"])


def _rooms() -> Iterator[str]:
    for room, title in rooms.TITLES.items():
        rows = "\n".join(map(_row, declarations.of(room).values()))
        yield f"## {title}\n\n| Setting | Default | Meaning |\n|---|---|---|\n{rows}\n"


def _row(declaration: Declaration) -> str:
    names = f"`{declaration.flag}`<br>`{declaration.variable}`"
    default = values.text(declaration.default)
    shown = f"`{default}`" if default else "none"
    secret = " Secret." if declaration.secret else ""
    return f"| {names} | {shown} | {_cell(declaration.help)}{secret} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _flower2() -> Iterator[str]:
    for name, remark in sorted(flower2.missing(rooms.known()).items()):
        yield f"| `{name}` | {remark}. |"
