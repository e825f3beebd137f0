"""Who came in by a provider of logins, as of their last login: no later request of theirs brings groups along."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRecord:
    """One of them. `email` is empty where it was not proven; `mark` changes with the provider."""

    subject: str
    email: str
    groups: list[str]
    mark: str


async def remember(connection: AsyncConnection, record: IdentityRecord) -> None:
    """In the place of what the last login told, in the transaction that the caller commits."""
    given = {"subject": record.subject, "email": record.email, "groups": record.groups, "mark": record.mark}
    await connection.execute(_REMEMBER, given)


async def of(connection: AsyncConnection, subject: str) -> IdentityRecord | None:
    """The last that is known of this subject."""
    row = (await connection.execute(_OF, {"subject": subject})).mappings().first()
    return IdentityRecord(**row) if row else None


_REMEMBER = text("""
INSERT INTO federated_identity (subject, email, groups, mark, seen_at)
VALUES (:subject, :email, :groups, :mark, clock_timestamp())
ON CONFLICT (subject) DO UPDATE SET
  email = excluded.email, groups = excluded.groups, mark = excluded.mark, seen_at = excluded.seen_at
""")
_OF = text("SELECT subject, email, groups, mark FROM federated_identity WHERE subject = :subject")
