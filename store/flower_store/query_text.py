"""The language of searches, as the page and the API take it: `state:FAILURE name:app.* -queue:slow runtime>30s`.

    query = or ;  or = and { "OR" and } ;  and = term { [ "AND" ] term }
    term  = [ "-" ] ( "(" or ")" | key ":" value { "," value } | key cmp number [ unit ] | key ":" a ".." b | word )
    value = bare | "quoted" | prefix"*"

Keys, states and what follows `is:` are read in any case. A text of Flower 2's (`name:`, `kwargs:k=v`, `OR`, quotes) is
one of ours. Pure: no database, no clock. `text` writes a query, and `parse` reads that as the same query again.
"""

import difflib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from flower_store import states, timewords
from flower_store.query import (
    IS,
    KEYS,
    SHORTEST_ID,
    UNTOLD,
    And,
    BadQuery,
    Between,
    Compare,
    Has,
    Kind,
    Not,
    Number,
    Or,
    Query,
    Value,
    Word,
)

LONGEST: Final = 4_000
DEEPEST: Final = 20
MOST_TERMS: Final = 100

_HEAD = re.compile(r"([A-Za-z][\w.-]*)(:|>=|<=|>|<)")
_BARE = re.compile(r'[^\s()",]+')
_WORD = re.compile(r'[^\s()"]+')
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,6})?(?:ms|[smhd])?")
_COUNT = re.compile(r"\d{1,9}")
_GROUP = re.compile(r"[0-9]{1,10}")
_LARGEST = 2**31 - 1
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_OPERATORS = frozenset({"AND", "OR", "NOT"})
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def parse(text: str) -> Query | None:
    """The query; None where nothing is asked. Raises BadQuery."""
    if len(text) > LONGEST:
        raise BadQuery(f"a query has at most {LONGEST:,} characters", LONGEST)
    return _Parser(text).parsed()


def text(query: Query | None) -> str:
    """The query as a text."""
    match query:
        case None:
            return ""
        case Or(children):
            return " OR ".join(_inside(one, Or) for one in children)
        case And(children):
            return " ".join(_inside(one, And, Or) for one in children)
        case Not(child):
            return f"-{_inside(child, And, Or, Not)}"
        case _:
            return _term_text(query)


def _inside(query: Query, *loose: type[Query]) -> str:
    """In parentheses where it would fall apart."""
    return f"({text(query)})" if isinstance(query, loose) else text(query)


def _term_text(query: Word | Has | Compare | Between) -> str:
    match query:
        case Word(value):
            return _written(value, _WORD, key=True)
        case Has(key, values):
            return f"{key}:{','.join(_written(one, _BARE) for one in values)}"
        case Compare(key, sign, number):
            return f"{key}{sign}{number.text}"
        case Between(key, low, high):
            return f"{key}:{low.text}..{high.text}"


def _written(value: Value, bare: re.Pattern[str], *, key: bool = False) -> str:
    plain = bare.fullmatch(value.text) and not value.text.endswith("*") and not value.text.startswith("-")
    if key and plain:
        plain = value.text not in _OPERATORS and not _HEAD.match(value.text)
    if not key and value.text.startswith("-"):  # a relative time
        plain = bare.fullmatch(value.text) and not value.text.endswith("*")
    written = value.text if plain else '"{}"'.format(value.text.replace("\\", r"\\").replace('"', r"\""))
    return f"{written}*" if value.prefix else written


class _Parser:
    """Recursive descent over the characters; depth and number of terms are bounded."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._terms = 0

    def parsed(self) -> Query | None:
        self._pass_space()
        if self._ended():
            return None
        found = self._or(0)
        if not self._ended():
            raise BadQuery("this parenthesis closes nothing", self._at)
        return found

    def _ended(self) -> bool:
        return self._at >= len(self._text)

    def _here(self, letters: str) -> bool:
        return self._text.startswith(letters, self._at)

    def _taken(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _pass_space(self) -> None:
        while not self._ended() and self._text[self._at].isspace():
            self._at += 1

    def _operator(self, word: str) -> bool:
        """Whether this word stands here; it is passed, and a term must follow."""
        found = _WORD.match(self._text, self._at)
        if found is None or found[0] != word:
            return False
        self._at = found.end()
        self._pass_space()
        following = _WORD.match(self._text, self._at)
        if self._ended() or self._here(")") or (following is not None and following[0] in {"AND", "OR"}):
            raise BadQuery(f"{word} needs a term behind it", found.start())
        return True

    def _or(self, depth: int) -> Query:
        children = [self._and(depth)]
        while self._operator("OR"):
            children.append(self._and(depth))
        return children[0] if len(children) == 1 else Or(tuple(children))

    def _and(self, depth: int) -> Query:
        children = [self._term(depth)]
        while not self._ended() and not self._here(")"):
            found = _WORD.match(self._text, self._at)
            if found is not None and found[0] == "OR":
                break
            self._operator("AND")
            children.append(self._term(depth))
        return children[0] if len(children) == 1 else And(tuple(children))

    def _term(self, depth: int) -> Query:
        start = self._at
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise BadQuery(f"a query has at most {MOST_TERMS} terms", start)
        negated = self._here("-")
        if negated:
            self._at += 1
            if self._ended() or self._text[self._at].isspace() or self._here("-") or self._here(")"):
                raise BadQuery("- needs a term right behind it", start)
        found = self._group(depth) if self._here("(") else self._single()
        self._pass_space()
        return Not(found) if negated else found

    def _group(self, depth: int) -> Query:
        start = self._at
        if depth >= DEEPEST:
            raise BadQuery(f"parentheses stand at most {DEEPEST} deep", start)
        self._at += 1
        self._pass_space()
        if self._here(")"):
            raise BadQuery("these parentheses are empty", start)
        if self._ended():
            raise BadQuery("this parenthesis is not closed", start)
        found = self._or(depth + 1)
        if not self._here(")"):
            raise BadQuery("this parenthesis is not closed", start)
        self._at += 1
        return found

    def _single(self) -> Query:
        start = self._at
        head = self._taken(_HEAD)
        if head is None:
            return self._word()
        key, kind = _key(head[1], start)
        if kind in {Kind.LENGTH, Kind.COUNT}:
            return self._numeric(key, kind, head[2], start)
        if head[2] != ":":
            raise BadQuery(f"{key} takes a colon: {key}:value", start)
        values = [self._value(key, kind)]
        while self._here(","):
            self._at += 1
            values.append(self._value(key, kind))
        self._must_end(key)
        return Has(key, tuple(values), start)

    def _word(self) -> Word:
        start = self._at
        found = _WORD.match(self._text, start)
        if found is not None and found[0] in _OPERATORS:
            rule = "write - before a term to exclude it" if found[0] == "NOT" else f"{found[0]} needs a term before it"
            raise BadQuery(rule, start)
        value = self._read(_WORD, "a word")
        self._must_end("a word")
        return Word(value, start)

    def _value(self, key: str, kind: Kind) -> Value:
        start = self._at
        value = self._read(_BARE, key, hint=kind.value)
        try:
            return _CHECKS[kind](value)
        except ValueError as error:
            raise BadQuery(f"{key} {error}", start) from None

    def _read(self, bare: re.Pattern[str], what: str, *, hint: str = "") -> Value:
        start = self._at
        if self._here('"'):
            quoted = self._taken(_QUOTED)
            if quoted is None:
                raise BadQuery("this quotation mark has no second one", start)
            text = _ESCAPED.sub(r"\1", quoted[1])
            prefix = self._here("*")
            self._at += prefix
        else:
            found = self._taken(bare)
            text = found[0] if found else ""
            prefix = text.endswith("*")
            text = text.removesuffix("*")
        if not text:
            needs = "needs a text before *" if prefix else "needs a value"
            raise BadQuery(f"{what} {needs}{f': {hint}' if hint else ''}", start)
        return Value(text, prefix)

    def _numeric(self, key: str, kind: Kind, sign: str, start: int) -> Query:
        low = self._number(key, kind)
        if sign != ":":
            self._must_end(key)
            return Compare(key, sign, low, start)
        high = low
        if self._here(".."):
            self._at += 2
            high = self._number(key, kind)
        self._must_end(key)
        if low.value > high.value:
            raise BadQuery(f"{key} needs the smaller number first", start)
        return Between(key, low, high, start)

    def _number(self, key: str, kind: Kind) -> Number:
        start = self._at
        found = self._taken(_NUMBER if kind is Kind.LENGTH else _COUNT)
        if found is None:
            raise BadQuery(f"{key} needs {kind.value}", start)
        return Number(found[0])

    def _must_end(self, what: str) -> None:
        if not (self._ended() or self._text[self._at].isspace() or self._here(")")):
            raise BadQuery(f"{what} ends before this: put a space here, or quotation marks round the value", self._at)


def _key(given: str, position: int) -> tuple[str, Kind]:
    key = given.lower()
    head, dot, _ = key.partition(".")
    if head in UNTOLD:
        raise BadQuery(f"{head} cannot be searched: {UNTOLD[head]}", position)
    if dot and head in {"args", "kwargs"}:
        return _path(head, given[len(head) + 1 :], position), Kind.PATH
    if not dot and key in KEYS:
        return key, KEYS[key]
    close = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(KEYS)}"
    raise BadQuery(f"there is no key {given!r}: {hint}", position)


def _path(head: str, path: str, position: int) -> str:
    """A path as it was written: names of arguments differ by case."""
    parts = path.split(".")
    if not all(parts) or (head == "args" and not parts[0].isdigit()):
        raise BadQuery("a path is args.0, or kwargs.user.id", position)
    return f"{head}.{path}"


def _whole(value: Value) -> Value:
    if value.prefix:
        raise ValueError("takes whole values, without * at the end")
    return value


def _id(value: Value) -> Value:
    if value.prefix and len(value.text) < SHORTEST_ID:
        raise ValueError(f"needs {Kind.ID.value}")
    return value


def _state(value: Value) -> Value:
    if _whole(value).text.upper() not in states.ALL:
        raise ValueError(f"is {Kind.STATE.value}, and not {value.text!r}")
    return Value(value.text.upper())


def _is(value: Value) -> Value:
    if _whole(value).text.lower() not in IS:
        raise ValueError(f"is {Kind.IS.value}, and not {value.text!r}")
    return Value(value.text.lower())


def _group(value: Value) -> Value:
    if not _GROUP.fullmatch(_whole(value).text) or int(value.text) > _LARGEST:
        raise ValueError(f"is {Kind.GROUP.value}, and not {value.text!r}")
    return value


def _moment(value: Value) -> Value:
    timewords.parse(_whole(value).text, _BEGINNING)
    return value


def _text(value: Value) -> Value:
    return value


_CHECKS: dict[Kind, Callable[[Value], Value]] = {
    Kind.TEXT: _text,
    Kind.PART: _whole,
    Kind.PATH: _whole,
    Kind.ID: _id,
    Kind.STATE: _state,
    Kind.IS: _is,
    Kind.MOMENT: _moment,
    Kind.GROUP: _group,
}
