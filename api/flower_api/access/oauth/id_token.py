"""Id tokens: signed by the provider, for us, of this login, and not over (OpenID Connect Core 1.0 §3.1.3.7)."""

from collections.abc import Mapping

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from flower_api.access.oauth import errors
from flower_api.access.oauth.discovery import Metadata

_SIGNED = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"})
"""With a pair of keys: with `none` or HMAC whoever knows the public key, or our secret, could sign."""
_LEEWAY = 60
"""Seconds by which clocks may differ."""


def verified(
    text: str, keys: KeySet, *, metadata: Metadata, client: str, nonce: str, access_token: str
) -> Mapping[str, object]:
    """Its claims. Raises Untrusted, and joserfc's InvalidKeyIdError where the key is not among these."""
    try:
        return _claims(text, keys, metadata=metadata, client=client, nonce=nonce, access_token=access_token)
    except InvalidKeyIdError:
        raise
    except (JoseError, TypeError, ValueError) as error:  # odd types in claims and headers end in TypeError
        raise untrusted(error) from error


def _claims(
    text: str, keys: KeySet, *, metadata: Metadata, client: str, nonce: str, access_token: str
) -> Mapping[str, object]:
    algorithms = sorted(_SIGNED.intersection(metadata.id_token_signing_alg_values_supported))
    if not algorithms:
        raise errors.Untrusted("no algorithm for signatures that we take")
    registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
    token = jwt.decode(text, keys, registry=registry)
    options = {"iss": {"essential": True, "value": metadata.issuer}, "aud": {"essential": True, "value": client}}
    params = {"nonce": nonce, "client_id": client, "access_token": access_token}
    claims = CodeIDToken(token.claims, token.header, options, params)
    claims.validate(leeway=_LEEWAY)
    return token.claims


def untrusted(error: Exception) -> errors.Untrusted:
    """What is wrong, for the log: without what the token holds."""
    claim = getattr(error, "claim", None)
    return errors.Untrusted(f"id token: {type(error).__name__}{f' {claim}' if isinstance(claim, str) else ''}")
