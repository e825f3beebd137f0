"""Task ids. Celery's ids are arbitrary strings, nearly always UUIDs; both must work, and a UUID costs 16 bytes."""

import hashlib
import re
from uuid import UUID

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


def task_key(task_id: str) -> UUID:
    """The 16 bytes under which a task is stored.

    A canonical UUID (lower case, with hyphens) is its own key. Any other string is hashed into a version 8 UUID
    (RFC 9562 §5.8), and its text is stored beside the key.
    """
    if _CANONICAL(task_id):
        return UUID(task_id)
    digest = bytearray(hashlib.blake2b(task_id.encode(), digest_size=16).digest())
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return UUID(bytes=bytes(digest))


def key_and_text(task_id: str) -> tuple[bytes, str | None]:
    """The bytes of `task_key`, and the text that must be stored beside them: None where they say it already."""
    if _CANONICAL(task_id):
        return bytes.fromhex(task_id.replace("-", "")), None
    return task_key(task_id).bytes, task_id
