"""Users with passwords, in Flower's form `user:password`; in place of the password may stand its scrypt hash.

The hash is `scrypt:N:r:p$salt$hex` (RFC 7914), as `flower hash-password` prints it and werkzeug's
`generate_password_hash` does: the salt is taken as UTF-8, the hash is of any length that scrypt gives.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

_HASHED = re.compile(r"scrypt:(\d{1,7}):(\d{1,2}):(\d{1,2})\$([^$]{8,64})\$((?:[0-9a-f]{2}){32,64})")
_N, _R, _P = 2**15, 8, 1
"""What OWASP's cheat sheet on passwords names with 32 MiB: a tenth of a second."""
_MOST_MEMORY = 128 * 2**20
_AT_ONCE = 2
"""Hashes that are computed at a time: each takes a core and its memory."""


class BadUser(ValueError):
    """An entry that is none, told without what stands in it."""


@dataclass(frozen=True, slots=True, repr=False)
class Hash:
    """A password's hash and how it was made."""

    n: int
    r: int
    p: int
    salt: str
    digest: bytes

    def matches(self, password: str) -> bool:
        """Compute it again and compare."""
        made = hashlib.scrypt(
            password.encode(errors="surrogateescape"),
            salt=self.salt.encode(),
            n=self.n,
            r=self.r,
            p=self.p,
            maxmem=_MOST_MEMORY * 2,
            dklen=len(self.digest),
        )
        return hmac.compare_digest(made, self.digest)


@dataclass(frozen=True, slots=True, repr=False)
class User:
    """One entry: `password` is a Hash, or the password itself."""

    name: str
    password: Hash | str

    @property
    def mark(self) -> str:
        """What changes with the password and tells nothing of it to whoever has not the key that it is kept under."""
        secret = self.password if isinstance(self.password, str) else self.password.digest.hex()
        return hashlib.sha256(f"{self.name}:{secret}".encode(errors="surrogateescape")).hexdigest()


def hashed(password: str) -> str:
    """The hash of a password, to be configured in its place."""
    salt = secrets.token_urlsafe(12)
    digest = hashlib.scrypt(password.encode(), salt=salt.encode(), n=_N, r=_R, p=_P, maxmem=_MOST_MEMORY, dklen=64)
    return f"scrypt:{_N}:{_R}:{_P}${salt}${digest.hex()}"


def parsed(entries: Sequence[str]) -> tuple[User, ...]:
    """The users that entries name. Raises BadUser."""
    return tuple(_user(number, entry) for number, entry in enumerate(entries, 1))


def _user(number: int, entry: str) -> User:
    name, colon, password = entry.partition(":")
    if not (name and colon and password):
        raise BadUser(f"entry {number} must be user:password, with a comma between two entries")
    if not password.startswith("scrypt:"):
        return User(name, password)
    found = _HASHED.fullmatch(password)
    if found is None:
        raise BadUser(f"entry {number}: a password that begins with scrypt: must be a hash, scrypt:N:r:p$salt$hex")
    n, r, p = (int(found[part]) for part in (1, 2, 3))
    if n < 2 or n & (n - 1) or not r or not p or 128 * r * (n + p) > _MOST_MEMORY:  # noqa: PLR2004 - scrypt's own rule
        raise BadUser(f"entry {number}: N of a hash must be a power of two, and 128·r·(N+p) at most 128 MiB")
    return User(name, Hash(n, r, p, found[4], bytes.fromhex(found[5])))


class Users:
    """Who may come in with a password. Falsy where there is nobody."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._users = parsed(entries)
        self._key = secrets.token_bytes(32)
        # What was right once stays right while the process lives: its hash need not be computed for each request.
        self._right: dict[bytes, User] = {}
        self._computing = asyncio.Semaphore(_AT_ONCE)

    def __bool__(self) -> bool:
        return bool(self._users)

    def named(self, name: str) -> list[User]:
        """The entries of this name."""
        return [user for user in self._users if user.name == name]

    def known(self, name: str, password: str) -> User | None:
        """The user, where these words were found right before; takes no time."""
        return self._right.get(self._digest(f"{name}:{password}"))

    async def check(self, name: str, password: str) -> User | None:
        """The user, or None. How long it takes tells neither whether the name is known nor how much was right."""
        digest = self._digest(f"{name}:{password}")
        found = None
        for user in self._users:
            if isinstance(user.password, str):
                same = hmac.compare_digest(self._digest(f"{user.name}:{user.password}"), digest)
                found = user if same else found
        if found is None:
            found = await self._by_hash(name, password)
        if found is not None:
            self._right[digest] = found
        return found

    async def _by_hash(self, name: str, password: str) -> User | None:
        hashes = [(user, user.password) for user in self._users if isinstance(user.password, Hash)]
        own = [(user, kept) for user, kept in hashes if user.name == name]
        found = None
        for user, kept in own or hashes[:1]:  # an unknown name costs as much
            async with self._computing:
                right = await asyncio.to_thread(kept.matches, password)
            if right and user.name == name:
                found = user
        return found

    def _digest(self, words: str) -> bytes:
        return hmac.digest(self._key, words.encode(errors="surrogateescape"), "sha256")
