"""Patterns of Flower's option `auth`, with exactly its meaning (`authenticate` and `validate_auth_option`, Flower 2.2).

They are no regular expressions, although they look like it: one address, several with `|` between them, or one with a
single `.*` before the last @. Each is compared with the whole address (CVE-2022-30034).
"""

import re

_ANY = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]*"
"""What `.*` stands for: characters of the part before the @ (RFC 5322, atext and the dot)."""


def valid(pattern: str) -> bool:
    """Whether Flower would start with it."""
    domain = pattern.rpartition("@")[2]
    return pattern.count("*") <= 1 and not ("*" in pattern and "|" in pattern) and "*" not in domain


def fits(pattern: str, address: str) -> bool:
    """Whether the whole address is as the pattern says, in the same case of letters."""
    if "|" in pattern:
        return address in pattern.split("|")
    if "*" in pattern:
        return re.fullmatch(re.escape(pattern).replace(r"\.\*", _ANY), address) is not None
    return address == pattern
