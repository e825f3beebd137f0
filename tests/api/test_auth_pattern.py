"""Flower's option `auth`: its patterns as Flower 2.2 takes them, by its documentation and tests."""

import pytest

from flower_api.access.oauth import pattern


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("mail@example.com", "mail@example.com"),
        (".*@example.com", "one@example.com"),
        (".*@example.com", "one.two+three@example.com"),
        (".*@example.com", "@example.com"),
        ("one.*@example.com", "one@example.com"),
        ("one.*@example.com", "one.two@example.com"),
        ("one.*two@example.com", "one-and-two@example.com"),
        ("a@x.com|b@y.net", "a@x.com"),
        ("a@x.com|b@y.net", "b@y.net"),
        (".*@corp.example.com", "a@corp.example.com"),
    ],
)
def test_a_pattern_names_an_address(given: str, address: str) -> None:
    assert pattern.valid(given)
    assert pattern.fits(given, address)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("mail@example.com", "long.mail@example.com"),
        ("mail@example.com", "mail@example.com.attacker.com"),
        ("mail@example.com", "mail@example.com\n"),
        ("mail@example.com", "Mail@example.com"),
        ("mail@example.com", "mail@example-com"),
        (".*@example.com", "attacker@example.com.attacker.com"),
        (".*@example.com", "attacker@attacker.com@example.com"),
        (".*@example.com", "attacker@attacker.com,one@example.com"),
        (".*@example.com", "one@example.com\n"),
        (".*@example.com", "one\n@example.com"),
        (".*@example.com", "one two@example.com"),
        ("one.*@example.com", "two@example.com"),
        ("one.*@example.com", "two.one@example.com"),
        ("a@x.com|b@y.net", "a@y.net"),
        ("a@x.com|b@y.net", "a@x.com|b@y.net"),
        ("a@x.com|b@y.net", "*"),
        ("a@x.com|b@y.net", ""),
        (".*@corp.example.com", "attacker@corpZexample.com"),
        ("*@example.com", "one@example.com"),
        ("", "one@example.com"),
        ("(one|two)@example.com", "one@example.com"),
    ],
)
def test_it_names_no_other(given: str, address: str) -> None:
    """CVE-2022-30034: it was looked for at the beginning of the address, as a regular expression."""
    assert not pattern.fits(given, address)


@pytest.mark.parametrize(
    "given",
    [".*@.*example.com", "mail@.*example.com", ".*example.com", "one@d1.com|.*@d2.com", ".*.*@example.com", "*"],
)
def test_what_flower_would_not_start_with_is_none(given: str) -> None:
    assert not pattern.valid(given)
