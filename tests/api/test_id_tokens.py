"""Id tokens and keys that no provider would send: each is refused in one way, and none is a failure of ours."""

import base64
import json
import time
from itertools import product

import pytest
from joserfc import jws
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import RSAKey

from flower_api.access.oauth import claims, discovery, errors, id_token
from flower_api.access.oauth.discovery import Metadata

ISSUER = "https://id.example.com"
METADATA = Metadata(
    issuer=ISSUER, authorization_endpoint=f"{ISSUER}/a", token_endpoint=f"{ISSUER}/t", jwks_uri=f"{ISSUER}/k"
)
KEY = RSAKey.generate_key(2048, {"kid": "one"})
HEADER: dict[str, object] = {"alg": "RS256", "kid": "one"}
ODD: list[object] = [
    None, 0, 1, -1, 1.5, True, "", "x", [], ["x"], [None], [["c"]], {}, {"a": 1}, "\ud800", "a\x00b", 10**400,
    float("inf"), float("nan"),
]  # fmt: skip


def usual() -> dict[str, object]:
    now = int(time.time())
    return {"iss": ISSUER, "aud": "flower", "sub": "s", "iat": now, "exp": now + 60, "nonce": "n"}


def signed(given: object) -> str:
    return jws.serialize_compact(HEADER, json.dumps(given).encode(), KEY, algorithms=["RS256"])


def part(given: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(given).encode()).rstrip(b"=").decode()


def taken(text: str) -> bool:
    """Whether it counts; raises whatever is not one of our errors."""
    keys = discovery.keys({"keys": [KEY.as_dict(private=False)]})
    try:
        found = id_token.verified(text, keys, metadata=METADATA, client="flower", nonce="n", access_token="a")
    except (errors.Untrusted, InvalidKeyIdError):
        return False
    for claim in ("groups", "groups.a", "a.b"):
        assert all(one.isprintable() for one in claims.groups(found, claim))
    assert claims.email(found, trusted=True).isprintable()
    return True


def test_a_token_of_the_provider_counts() -> None:
    assert taken(signed(usual()))


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "nonce", "sub"])
def test_no_token_counts_with_an_odd_claim_that_matters(name: str) -> None:
    fine: dict[str, list[object]] = {
        "sub": ["", "x", "\ud800", "a\x00b"],
        "iat": [0, 1, -1, 1.5],
        "exp": [10**400, float("inf")],
    }

    # float("nan") compares with nothing: an end that is none must not be for ever.
    assert [one for one in ODD if taken(signed(usual() | {name: one})) and one not in fine.get(name, [])] == []


def test_nothing_in_a_token_is_a_failure_of_ours() -> None:
    for name, odd in product(["at_hash", "azp", "amr", "auth_time", "nbf", "email", "groups", "a", "jti"], ODD):
        taken(signed(usual() | {name: odd, "email_verified": odd}))
    head, body, signature = signed(usual()).split(".")
    for name, odd in product(["alg", "kid", "typ", "cty", "crit", "jwk", "jku", "b64", "x5c"], ODD):
        assert not taken(f"{part(HEADER | {name: odd})}.{body}.{signature}")
        assert not taken(f"{part(HEADER | {name: odd})}.{body}.")
    assert not taken(f"{part([])}.{body}.{signature}")
    for text in ("", "a", "a.b", "a.b.c", "a.b.c.d.e", "é.é.é", "\ud800.a.b", "e30.e30."):
        assert not taken(text)
    assert not taken(f"{part({'alg': 'none'})}.{body}.")
    assert not taken(f"{head}.{part(usual() | {'sub': 'other'})}.{signature}")


UNREADABLE: list[object] = [
    None, {}, {"kty": ["RSA"]}, {"kty": "oct", "k": "AQAB"}, {"kty": "RSA"}, {"kty": "RSA", "n": 1, "e": 2},
    {"kty": "RSA", "n": "!!", "e": "AQAB"}, {"kty": "EC", "crv": "P-999", "x": "a", "y": "b"},
    {"kty": "RSA", "n": "\ud800", "e": "AQAB"}, {**KEY.as_dict(private=False), "use": "enc"},
]  # fmt: skip


@pytest.mark.parametrize(
    "body", [None, 1, [], {}, {"keys": None}, {"keys": 1}, *({"keys": [one]} for one in UNREADABLE)]
)
def test_keys_that_are_none_open_nothing(body: object) -> None:
    with pytest.raises(errors.Untrusted):
        discovery.keys(body)


def test_a_key_that_we_cannot_read_is_in_nobody_s_way() -> None:
    found = discovery.keys({"keys": [*UNREADABLE, KEY.as_dict(private=False)]})

    assert [one.kid for one in found.keys] == ["one"]


@pytest.mark.parametrize(
    ("given", "claim", "groups"),
    [
        ({"groups": ["a", "b", "a"]}, "groups", ("a", "b")),
        ({"groups": "one"}, "groups", ("one",)),
        ({"realm_access": {"roles": ["x"]}}, "realm_access.roles", ("x",)),
        ({"https://example.com/groups": ["x"]}, "https://example.com/groups", ("x",)),
        ({"groups": ["a", 1, None, "", "b" * 255, "c\n"]}, "groups", ("a",)),
        ({"groups": {"a": 1}}, "groups", ()),
        ({}, "groups", ()),
        ({"": ["a"]}, "", ()),
    ],
)
def test_groups_are_read_where_they_stand(given: dict[str, object], claim: str, groups: tuple[str, ...]) -> None:
    assert claims.groups(given, claim) == groups
