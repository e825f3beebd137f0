"""Why a login by a provider fails. The message is for whoever wants to come in; `why` is for the log.

Failed
├── Stale       not begun here, too old, used before: beginning anew helps
├── Declined    the provider says no
├── Stranger    known to the provider, and does not belong here
├── Untrusted   an answer is not what a provider must answer
└── Away        the provider does not answer: trying again helps
"""

from typing import ClassVar


class Failed(Exception):
    """No login. `who` is a name that the provider proved, `to` where they wanted to go; empty where it is unknown."""

    status: ClassVar[int] = 403

    def __init__(self, message: str, *, why: str, who: str = "") -> None:
        super().__init__(message)
        self.why = why
        self.who = who
        self.to = ""


class Stale(Failed):
    """The answer belongs to no login that this browser has begun and not finished."""

    status = 400

    def __init__(self, why: str) -> None:
        message = (
            "This login was not begun in this browser, took longer than ten minutes, or is over already. Begin it anew."
        )
        super().__init__(message, why=why)


class Declined(Failed):
    """The provider refused, or its user did."""

    def __init__(self, why: str) -> None:
        super().__init__("The provider did not let you in.", why=why)


class Stranger(Failed):
    """Flower's own words."""

    def __init__(self, who: str, *, why: str) -> None:
        message = "Access denied. Please use another account or ask your admin to add your email to flower --auth."
        super().__init__(message, why=why, who=who)


class Untrusted(Failed):
    """What came is not the provider's, or is not for us."""

    status = 502

    def __init__(self, why: str) -> None:
        message = "The provider's answer could not be trusted. Whoever runs this Flower finds the reason in its log."
        super().__init__(message, why=why)


class Away(Failed):
    """Not reached, too slow, or failing."""

    status = 502

    def __init__(self, why: str) -> None:
        super().__init__("The provider of the login does not answer. Try again in a moment.", why=why)
