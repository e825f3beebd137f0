"""Refusals of whoever is not known."""

from litestar.exceptions import NotAuthorizedException


class Stranger(NotAuthorizedException):
    """Nobody is known to ask. Flower said nothing on its API, and asked for a password on its pages."""

    def __init__(self) -> None:
        super().__init__("sign in, or give a token: Authorization: Bearer …")


class BadToken(NotAuthorizedException):
    """There was a token, and it opens nothing (RFC 6750 §3.1)."""

    def __init__(self) -> None:
        super().__init__(
            "the token is unknown, revoked or expired", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
        )
