"""What a provider of logins is to the login: a place to send the browser to, and a word on who came back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from flower_api.access.grants import Identity
from flower_api.access.oauth import errors
from flower_api.access.oauth.transaction import Transaction


class Provider(ABC):
    """`label` is its name for readers."""

    label: str

    @abstractmethod
    async def address(self, transaction: Transaction) -> str:
        """Where the browser has to go. Raises errors.Failed."""

    @abstractmethod
    async def identity(self, answer: Mapping[str, str], transaction: Transaction) -> Identity:
        """Who it is, by the parameters that the browser brought back; `answer["code"]` is there. Raises errors.Failed.

        `email` only where the provider has proved it. Every group is told: which of them matter is not decided here.
        """


def named(address: str, number: str) -> str:
    """The name of somebody: the proven address, else the provider's own number of theirs, which is like no address.

    Raises Untrusted for a number that is none (OpenID Connect Core 1.0 §2: at most 255 ASCII characters).
    """
    if not (number.isascii() and number.isprintable() and 0 < len(number) <= 255):  # noqa: PLR2004 - as said
        raise errors.Untrusted("a subject that is none")
    return address or f"subject {number}"
