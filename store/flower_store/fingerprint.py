r"""What makes two failures the same one: the exception's type, its message without what differs, the innermost frame.

A function of an event's two texts alone. Work and size are bounded whatever the texts are: of the exception its
beginning is read, of the traceback its end, and its beginning where no frame stands in the end (a message may be
long). Forms: `repr()` of an exception, as Celery's events have it, and Python's tracebacks.

    ValueError('order 4711 of "ann@x.org" is late')   ValueError   order <n> of <text> is late   shop/tasks.py in charge
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flower_store import fold

READ_OF_EXCEPTION: Final = 2_000
READ_OF_TRACEBACK: Final = 65_536
"""Characters that are read: a traceback of a thousand frames is some hundred thousand, its innermost at the end."""

LONGEST_MESSAGE: Final = 200
LONGEST_NAME: Final = 120
"""Characters that count, of the message, and of each of the type, the file and the function."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is the same in all failures of a group; each is empty where nothing tells it."""

    exception: str
    message: str
    frame: str

    @property
    def key(self) -> UUID:
        """The same for the same three texts, on every machine."""
        told = f"{self.exception}\0{self.message}\0{self.frame}".encode(errors="replace")
        return UUID(bytes=hashlib.blake2b(told, digest_size=16).digest())


def fingerprint(exception: str | None, traceback: str | None) -> Fingerprint:
    """The fingerprint of a failure, from its exception's representation and its traceback."""
    kind, said = _parted((exception or "").strip()[:READ_OF_EXCEPTION])
    return Fingerprint(kind[:LONGEST_NAME], normalised(said), frame(traceback or ""))


def of_fields(fields: Mapping[str, object]) -> Fingerprint:
    """The fingerprint of a task-failed event."""
    return fingerprint(fold.text(fields, "exception"), fold.text(fields, "traceback"))


def normalised(message: str) -> str:
    """The message without numbers, ids, quoted values, addresses, paths and times, in one line, and cut."""
    return " ".join(_VARIES.sub(_placeholder, message).split())[:LONGEST_MESSAGE]


def frame(traceback: str) -> str:
    """`file in function` of the innermost frame that is not a library's, or else of the innermost one.

    Of a chain of exceptions the last counts. The file is without the directories before the code's own.
    """
    end = traceback[-READ_OF_TRACEBACK:]
    frames = _FRAME.findall(end[max(end.rfind(_BEGIN), 0) :]) or _FRAME.findall(traceback[:READ_OF_TRACEBACK])
    if not frames:
        return ""
    file, function = next(
        (one for rank in _LIBRARIES for one in reversed(frames) if not rank.search(one[0])), frames[-1]
    )
    return f"{_own(file)} in {function.strip()[:LONGEST_NAME]}"


def _parted(exception: str) -> tuple[str, str]:
    """The type of an exception, and what it says."""
    if found := _CALL.match(exception):
        return found[1], _said(exception[found.end() :])
    if found := _TOLD.match(exception):
        return found[1], exception[found.end() :]
    return "", exception


def _said(arguments: str) -> str:
    """The arguments of an exception as a message: texts at its outside are not quoted values, but what it says."""
    said: list[str] = []
    at = 0
    while found := _LITERAL.match(arguments, at):
        text = found[1] or found[2]
        said.append(found[3] if text is None else _ESCAPED.sub(_unescaped, text))
        at = found.end()
    rest = arguments[at:]
    said.append(_ESCAPED.sub(_unescaped, rest[1:]) if _CUT.fullmatch(rest) else rest.removesuffix(")"))
    return ", ".join(said).strip(", ")


def _unescaped(found: re.Match[str]) -> str:
    return found[1] if found[1] in "\\'\"" else " "


def _placeholder(found: re.Match[str]) -> str:
    return "<id>" if found.lastgroup == "hex" else f"<{found.lastgroup}>"


def _own(file: str) -> str:
    """The end of a path: what stands behind the place where code is installed, or else its last directory."""
    parts = [part for part in file.replace("\\", "/").split("/") if part]
    places = next((some for some in _PLACES if not some.isdisjoint(parts)), frozenset[str]())
    begin = max((at + 1 for at, part in enumerate(parts) if part in places), default=len(parts))
    kept = parts[max(0, min(begin, len(parts) - 2)) :]
    return _LONG_NUMBER.sub("<n>", "/".join(kept))[-LONGEST_NAME:]


_CALL = re.compile(r"([A-Za-z_][\w.]*)\(")
_TOLD = re.compile(r"(?:<(?=[A-Za-z_]))?([A-Za-z_][\w.]*)(?::\s| object at 0x[0-9a-fA-F]+>|>?$)")
_LITERAL = re.compile(
    r"""(?:[bBuU]?(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")|([\w.+-]+))\s*(?:,\s*|(?=\)?$))""", re.DOTALL
)
_CUT = re.compile(r"""(?:'(?:[^'\\]|\\.)*|"(?:[^"\\]|\\.)*)\\?""", re.DOTALL)
_ESCAPED = re.compile(r"""\\([nrt\\'"])""")

_VARIES = re.compile(
    r"""
      (?P<id>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})
    | (?P<url>\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s'"<>]+)
    | (?P<time>
        \b\d{4}-\d\d-\d\d(?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b
        | \b\d\d:\d\d:\d\d(?:[.,]\d+)?\b
      )
    | (?P<text>(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w))
    | (?P<address>
        0x[0-9a-fA-F]+ | \b[\w.+-]{1,64}@[\w-][\w.-]{0,252}
        | \b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b | (?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}(?![\w:])
      )
    | (?P<path>(?<![\w/\\.<])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\]+[\w.@%+=~-]+)+[/\\]?)
    | (?P<hex>(?<![0-9a-zA-Z])(?=[a-fA-F]{0,40}[0-9])[0-9a-fA-F]{8,}(?![0-9a-zA-Z]))
    | (?P<n>\d+(?:[.,]\d+)*)
    """,
    re.VERBOSE | re.DOTALL,
)

_BEGIN: Final = "Traceback (most recent call last):"
_FRAME = re.compile(r'^[ |+]{0,40}File "([^"\n]{1,1000})", line \d{1,9}, in ([^\n]{1,1000})', re.MULTILINE)
_LIBRARIES = (
    re.compile(r"(?:^|[/\\])(?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\]python\d|^<"),
    re.compile(
        r"[/\\](?:celery|kombu|billiard|amqp|vine)[/\\]|[/\\]lib(?:64)?[/\\]python[\d.]+[/\\](?!(?:site|dist)-packages)|^<"
    ),
)
"""The user's own code may be installed as a package, too: then what is not Celery's or Python's is taken for it."""
_PLACES = (frozenset({"site-packages", "dist-packages"}), frozenset({"app", "src"}))
_LONG_NUMBER = re.compile(r"\d{4,}")
