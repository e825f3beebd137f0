"""Sessions: an encrypted cookie that every replica reads, so no replica keeps any.

The cookie holds who came in, by which way, and when. What they may is decided anew at each request, whether they were
logged out is asked in the database, and a user who is gone or has another password is no user any more.
"""

import asyncio
import base64
import secrets
import time
from datetime import UTC, datetime

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from litestar.datastructures import Cookie

from flower_api import gate, wire
from flower_api.access import basic
from flower_api.access.basic import Passwords
from flower_api.access.grants import Identity
from flower_api.access.guard import Connection
from flower_api.access.principal import Principal
from flower_api.reads import Pool
from flower_api.settings import ApiSettings
from flower_store import sessions

_RENEWED_AFTER = 60
"""Seconds of use after which a cookie is sent anew, so that not each answer carries one."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What the cookie holds. Times are seconds of the epoch; `mark` changes with the user's password."""

    id: str
    way: str
    name: str
    email: str = ""
    groups: tuple[str, ...] = ()
    mark: str = ""
    form_token: str
    began: int
    seen: int

    @property
    def identity(self) -> Identity:
        """Who came in."""
        return Identity(way=self.way, name=self.name, email=self.email, groups=self.groups)


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, settings: ApiSettings, pool: Pool, passwords: Passwords) -> None:
        self._settings = settings
        self._pool = pool
        self._passwords = passwords
        self._box: MultiFernet | None = None
        self._making = asyncio.Lock()

    async def begin(self, connection: Connection, identity: Identity, *, mark: str = "") -> Session:
        """A session of its own, whatever cookie the browser came with; its cookie goes with the answer."""
        now = int(time.time())
        made = Session(
            id=secrets.token_urlsafe(16),
            way=identity.way,
            name=identity.name,
            email=identity.email,
            groups=identity.groups,
            mark=mark,
            form_token=secrets.token_urlsafe(16),
            began=now,
            seen=now,
        )
        await self._send(connection, made)
        return made

    async def found(self, connection: Connection) -> Session | None:
        """The living session of this request. Raises Unavailable where it cannot be known whether it lives."""
        cookie = connection.cookies.get(self._name(connection))
        session = await self._opened(cookie) if cookie else None
        if session is None or not self._current(session):
            return None
        async with self._pool.connect() as database:
            began = datetime.fromtimestamp(session.began, UTC)
            if await sessions.ended(database, session.id, subject=session.identity.subject, began_at=began):
                return None
        await self._renew(connection, session)
        return session

    async def principal(self, connection: Connection) -> Principal | None:
        """Who the session of this request is."""
        session = await self.found(connection)
        if session is None:
            return None
        return self._passwords.of(session.identity, via=f"session {session.id[:8]}", form_token=session.form_token)

    async def end(self, connection: Connection, session: Session, *, everywhere: bool) -> None:
        """End it, or all of this subject that have begun, and take the cookie away."""
        until = datetime.now(UTC) + self._settings.session_lifetime
        async with self._pool.connect() as database:
            if everywhere:
                await sessions.end_all(database, session.identity.subject, until=until)
            else:
                await sessions.end(database, session.id, until=until)
            await database.commit()
        wire.add_cookie(connection.scope, self._cookie(connection, "", max_age=0))

    def kept(self, connection: Connection) -> bool:
        """Whether the browser will send the cookie back: not one for TLS alone to a page without it."""
        return not (self._secure(connection) and connection.headers.get("origin", "").startswith("http://"))

    def _current(self, session: Session) -> bool:
        """Neither too old nor unused for too long, and of a user who is one."""
        now = time.time()
        young = now < session.began + self._settings.session_lifetime.total_seconds()
        used = now < session.seen + self._settings.session_idle.total_seconds()
        if session.way != basic.WAY:
            return young and used
        return young and used and any(user.mark == session.mark for user in self._passwords.users.named(session.name))

    async def _renew(self, connection: Connection, session: Session) -> None:
        """A page that stands open asks by itself all the time: that is no use."""
        by_hand = connection.headers.get("sec-fetch-mode", "navigate") == "navigate"
        now = int(time.time())
        if by_hand and now - session.seen >= min(_RENEWED_AFTER, self._settings.session_idle.total_seconds() / 10):
            await self._send(connection, msgspec.structs.replace(session, seen=now))

    async def _send(self, connection: Connection, session: Session) -> None:
        box = await self._opener()
        left = session.began + self._settings.session_lifetime.total_seconds() - time.time()
        age = max(1, int(min(left, self._settings.session_idle.total_seconds())))
        value = box.encrypt(msgspec.json.encode(session)).decode()
        wire.add_cookie(connection.scope, self._cookie(connection, value, max_age=age))

    def _cookie(self, connection: Connection, value: str, *, max_age: int) -> str:
        return Cookie(
            key=self._name(connection),
            value=value,
            path=self._settings.root or "/",
            max_age=max_age,
            secure=self._secure(connection),
            httponly=True,
            samesite="lax",
        ).to_header(header="")

    def _name(self, connection: Connection) -> str:
        """With a prefix by which browsers let no other host and no page without TLS set it (RFC 6265bis §4.1.3)."""
        if not self._secure(connection):
            return "flower_session"
        return "__Secure-flower_session" if self._settings.root else "__Host-flower_session"

    def _secure(self, connection: Connection) -> bool:
        return not (self._settings.insecure_cookies or gate.named_local(connection.headers.get("host", "")))

    async def _opened(self, cookie: str) -> Session | None:
        box = await self._opener()
        try:
            return msgspec.json.decode(box.decrypt(cookie), type=Session)
        except (InvalidToken, msgspec.DecodeError, UnicodeEncodeError):
            return None

    async def _opener(self) -> MultiFernet:
        """The keys: the first one closes, each opens. Without a configured secret it is the one that replicas share."""
        async with self._making:
            if self._box is None:
                self._box = MultiFernet([Fernet(_key(secret)) for secret in await self._secrets()])
        return self._box

    async def _secrets(self) -> tuple[str, ...]:
        if self._settings.cookie_secret:
            return self._settings.cookie_secret
        async with self._pool.connect() as database:
            return (await sessions.secret(database, secrets.token_urlsafe(48)),)


def _key(secret: str) -> bytes:
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"flower session").derive(secret.encode())
    return base64.urlsafe_b64encode(made)
