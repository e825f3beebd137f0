"""What browsers keep for us and must neither read nor change: encrypted, and opened by every replica."""

import asyncio
import base64
import hmac
import secrets
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from flower_api.reads import Pool
from flower_api.settings import ApiSettings
from flower_store import sessions


class Seal:
    """The first of the secrets closes, each opens. Without a configured one it is the one that replicas share.

    Each purpose has keys of its own, so that nothing that was closed for one opens for another.
    """

    def __init__(self, settings: ApiSettings, pool: Pool) -> None:
        self._configured = settings.cookie_secret
        self._pool = pool
        self._boxes: dict[str, MultiFernet] = {}
        self._made: tuple[str, ...] = ()
        self._making = asyncio.Lock()

    async def closed(self, purpose: str, value: bytes) -> str:
        """What may be given away. Raises Unavailable where the secret is in a database that is away."""
        return (await self._box(purpose)).encrypt(value).decode()

    async def opened(self, purpose: str, text: str, *, within: timedelta | None = None) -> bytes | None:
        """What was closed, where it was by one of the secrets, and not longer ago than that."""
        box = await self._box(purpose)
        try:
            return box.decrypt(text, ttl=None if within is None else int(within.total_seconds()))
        except (InvalidToken, UnicodeEncodeError):
            return None

    async def token(self, purpose: str, text: str) -> str:
        """What nobody else can tell of the text; the same on every replica, as long as the first secret is."""
        secret = (await self._secrets())[0]
        return hmac.new(_key(secret, purpose), text.encode(errors="surrogateescape"), "sha256").hexdigest()

    async def _box(self, purpose: str) -> MultiFernet:
        async with self._making:
            if purpose not in self._boxes:
                keys = [Fernet(_key(secret, purpose)) for secret in await self._secrets()]
                self._boxes[purpose] = MultiFernet(keys)
        return self._boxes[purpose]

    async def _secrets(self) -> tuple[str, ...]:
        if not (self._configured or self._made):
            async with self._pool.connect() as database:
                self._made = (await sessions.secret(database, secrets.token_urlsafe(48)),)
        return self._configured or self._made


def _key(secret: str, purpose: str) -> bytes:
    info = f"flower {purpose}".encode()
    return base64.urlsafe_b64encode(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode()))
