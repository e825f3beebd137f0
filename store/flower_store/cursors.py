"""Keyset cursors: where a page ended, as one opaque word for an address."""

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

_FORM = struct.Struct(">q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_RULE = "is not a cursor of this list: take it from a page's `next`"
_TEXT = b"t"


class BadCursor(ValueError):
    """The word is not a cursor."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The key of a row in the order of a list: its first sign of life, and its task key."""

    seen_at: datetime
    key: UUID

    def token(self) -> str:
        """The cursor as a word of 32 letters, safe in an address."""
        packed = _FORM.pack((self.seen_at - _EPOCH) // _MICROSECOND, self.key.bytes)
        return base64.urlsafe_b64encode(packed).decode()


def text_token(key: str) -> str:
    """A cursor of a list that is ordered by a text."""
    return base64.urlsafe_b64encode(_TEXT + key.encode()).decode().rstrip("=")


def parse_text(token: str) -> str:
    """The text that such a token holds; raises BadCursor."""
    try:
        found = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        text = found.removeprefix(_TEXT).decode()
    except ValueError as error:
        raise BadCursor(_RULE) from error
    if not found.startswith(_TEXT) or "\0" in text:
        raise BadCursor(_RULE)
    return text


def parse(token: str) -> Cursor:
    """Read a token; raises BadCursor."""
    try:
        microseconds, key = _FORM.unpack(base64.urlsafe_b64decode(token.encode("ascii")))
        return Cursor(_EPOCH + microseconds * _MICROSECOND, UUID(bytes=key))
    except (binascii.Error, struct.error, UnicodeEncodeError, OverflowError) as error:
        raise BadCursor(_RULE) from error
