"""The login by a provider: from the click to who it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from flower_api.access import destination, grants
from flower_api.access.admission import Admission
from flower_api.access.grants import Identity
from flower_api.access.guard import Connection
from flower_api.access.limits import Limits
from flower_api.access.oauth import errors
from flower_api.access.oauth.membership import Membership
from flower_api.access.oauth.provider import Provider
from flower_api.access.oauth.transaction import Transaction, Transactions
from flower_api.settings import ApiSettings

ANSWERED = frozenset({"code", "error", "state"})
"""Parameters of an answer: whichever of them comes, it is one (RFC 6749 §4.1.2)."""
_CODE = re.compile(r"[a-z_]{1,60}")


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who came in, what their session is bound to, and where they wanted to go."""

    identity: Identity
    mark: str
    to: str


class ProviderLogin:
    """By the one provider that is configured."""

    def __init__(
        self,
        settings: ApiSettings,
        provider: Provider,
        *,
        admission: Admission,
        membership: Membership,
        transactions: Transactions,
        limits: Limits,
    ) -> None:
        self.label = provider.label
        self._root = settings.root
        self._provider = provider
        self._admission = admission
        self._membership = membership
        self._transactions = transactions
        self._limits = limits

    async def begin(self, connection: Connection, to: str) -> str:
        """Where the browser has to go now. Raises errors.Failed."""
        transaction = await self._transactions.begin(connection, destination.confined(to, root=self._root))
        return await self._provider.address(transaction)

    async def finish(self, connection: Connection, answer: Mapping[str, str]) -> Admitted:
        """Who came back, if they belong here. Raises errors.Failed, TooManyRequests."""
        transaction = await self._transactions.finish(connection, answer.get("state", ""))
        keys = await self._limits.login(connection)
        to = destination.confined(transaction.next, root=self._root)
        try:
            identity = self._belonging(await self._identity(answer, transaction))
        except errors.Failed as error:
            error.to = to
            raise
        await self._limits.take_back(keys)
        return Admitted(identity, self._membership.mark, to)

    async def _identity(self, answer: Mapping[str, str], transaction: Transaction) -> Identity:
        if "code" not in answer or "error" in answer:
            told = answer.get("error", "no code")
            raise errors.Declined(told if _CODE.fullmatch(told) else "an error of its own")
        return await self._provider.identity(answer, transaction)

    def _belonging(self, who: Identity) -> Identity:
        """With those groups alone that matter. Raises Stranger."""
        membership = self._membership
        if not membership.admits(who):
            raise errors.Stranger(who.name, why="no member")
        if not grants.of(who, self._admission.rules):
            raise errors.Stranger(who.name, why="no role")
        asked = tuple(one for one in who.groups if one in membership.groups)[:1]
        return replace(who, groups=tuple(dict.fromkeys((*asked, *grants.telling(who.groups, self._admission.rules)))))
