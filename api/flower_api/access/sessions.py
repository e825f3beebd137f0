"""Sessions: an encrypted cookie that every replica reads, so no replica keeps any.

The cookie holds who came in, by which way, and when. What they may is decided anew at each request, whether they were
logged out is asked in the database, and a user who is gone or has another password is no user any more.
"""

import secrets
import time
from datetime import UTC, datetime

import msgspec

from flower_api.access.admission import Admission
from flower_api.access.cookies import Cookies
from flower_api.access.grants import Identity
from flower_api.access.guard import Connection
from flower_api.access.principal import Principal
from flower_api.access.seal import Seal
from flower_api.reads import Pool
from flower_api.settings import ApiSettings
from flower_store import sessions

_COOKIE = "flower_session"
_PURPOSE = "session"
_RENEWED_AFTER = 60
"""Seconds of use after which a cookie is sent anew, so that not each answer carries one."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What the cookie holds. Times are seconds of the epoch; `mark` changes with the user's password, or
    with the provider that said who it is."""

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

    def __init__(self, settings: ApiSettings, pool: Pool, admission: Admission, seal: Seal) -> None:
        self._settings = settings
        self._pool = pool
        self._admission = admission
        self._seal = seal
        self._cookies = Cookies(settings)

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
        cookie = self._cookies.given(connection, _COOKIE)
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
        return self._admission.principal(
            session.identity, via=f"session {session.id[:8]}", form_token=session.form_token
        )

    async def end(self, connection: Connection, session: Session, *, everywhere: bool) -> None:
        """End it, or all of this subject that have begun, and take the cookie away."""
        until = datetime.now(UTC) + self._settings.session_lifetime
        async with self._pool.connect() as database:
            if everywhere:
                await sessions.end_all(database, session.identity.subject, until=until)
            else:
                await sessions.end(database, session.id, until=until)
            await database.commit()
        self._cookies.take_away(connection, _COOKIE)

    def kept(self, connection: Connection) -> bool:
        """Whether the browser will keep the session."""
        return self._cookies.kept(connection)

    def _current(self, session: Session) -> bool:
        """Neither too old nor unused for too long, and of one who still belongs."""
        now = time.time()
        young = now < session.began + self._settings.session_lifetime.total_seconds()
        used = now < session.seen + self._settings.session_idle.total_seconds()
        return young and used and self._admission.stands(session.identity, session.mark)

    async def _renew(self, connection: Connection, session: Session) -> None:
        """A page that stands open asks by itself all the time: that is no use."""
        by_hand = connection.headers.get("sec-fetch-mode", "navigate") == "navigate"
        now = int(time.time())
        if by_hand and now - session.seen >= min(_RENEWED_AFTER, self._settings.session_idle.total_seconds() / 10):
            await self._send(connection, msgspec.structs.replace(session, seen=now))

    async def _send(self, connection: Connection, session: Session) -> None:
        left = session.began + self._settings.session_lifetime.total_seconds() - time.time()
        seconds = max(1, int(min(left, self._settings.session_idle.total_seconds())))
        value = await self._seal.closed(_PURPOSE, msgspec.json.encode(session))
        self._cookies.send(connection, _COOKIE, value, seconds=seconds)

    async def _opened(self, cookie: str) -> Session | None:
        text = await self._seal.opened(_PURPOSE, cookie)
        try:
            return None if text is None else msgspec.json.decode(text, type=Session)
        except msgspec.DecodeError:
            return None
