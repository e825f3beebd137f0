"""What the log of commands holds beside commands: logins, refusals, tokens. Such a row is over when it is written."""

import json
from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LOGIN = "login"
LOGOUT = "logout"
LOGIN_REFUSED = "login_refused"
TOKEN_CREATED = "token_created"  # noqa: S105 - a kind of row
TOKEN_REVOKED = "token_revoked"  # noqa: S105
TOKEN_REFUSED = "token_refused"  # noqa: S105
REFUSED = "refused"
"""Somebody who is known asked for what they may not do."""

KINDS = (LOGIN, LOGOUT, LOGIN_REFUSED, TOKEN_CREATED, TOKEN_REVOKED, TOKEN_REFUSED, REFUSED)
REFUSALS = frozenset({LOGIN_REFUSED, TOKEN_REFUSED, REFUSED})


async def note(
    connection: AsyncConnection,
    kind: str,
    *,
    actor: str,
    origin: str,
    target: Mapping[str, object] | None = None,
    reason: str = "",
) -> None:
    """Add a row that concerns no cluster, in the transaction that the caller commits. No secrets in `target`."""
    await connection.execute(
        _NOTE,
        {
            "kind": kind,
            "target": json.dumps(target or {}),
            "actor": actor,
            "origin": origin,
            "reason": reason,
            "outcome": "failed" if kind in REFUSALS else "done",
        },
    )


_NOTE = text("""
INSERT INTO command (kind, target, arguments, actor, origin, reason, expires_at, claimed_at, ended_at, outcome)
VALUES (:kind, CAST(:target AS jsonb), '{}', :actor, :origin, :reason, now(), now(), now(), :outcome)
""")
