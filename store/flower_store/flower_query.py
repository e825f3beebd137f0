"""Flower 2.2's language for searching tasks: its grammar, its bounds, its messages, and what a text matches.

Terms stand beside each other (AND), `OR` between them, and parentheses; a term is a substring of at least three
characters, in any case, of every field or of one (`name:`, `worker:`, `args:`, `kwargs:`, `result:`). `state:` and
`kwargs:key=value` are exact. Source: `flower/utils/search.py` of Flower 2.2.0.
"""

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

FIELDS: Final = ("name", "state", "worker", "args", "kwargs", "result")
SHORTEST: Final = 3
LONGEST: Final = 2048
MOST_TOKENS: Final = 128
DEEPEST: Final = 5


class BadQuery(ValueError):
    """The text is no query. Its message is Flower's, with the position of what is wrong."""

    def __init__(self, rule: str, position: int | None = None) -> None:
        super().__init__(f"{rule}." if position is None else f"{rule} at position {position}.")


@dataclass(frozen=True, slots=True)
class Term:
    """A casefolded text; of every field and the id where no field is named. `how` is a pair for `key=value`."""

    field: str | None
    value: str
    how: Literal["part", "whole", "pair"] = "part"


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    children: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of them."""

    children: tuple["Expression", ...]


Expression: TypeAlias = Term | And | Or


@dataclass(frozen=True, slots=True)
class Document:
    """What is searched of a task; what it does not have is the empty text."""

    uuid: str
    name: str
    state: str
    worker: str
    args: str
    kwargs: str
    result: str


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """One of `(`, `)`, `AND`, `OR`, `term`, `end`."""
    value: str
    position: int


def parse(text: str) -> Expression | None:
    """The query; None where nothing is asked. Raises BadQuery."""
    stripped = text.strip()
    if len(stripped) > LONGEST:
        raise BadQuery(f"Query exceeds {LONGEST} characters")
    return _Parser(_tokens(stripped)).parsed()


def matches(expression: Expression, document: Document) -> bool:
    """Whether Flower would have found the task."""
    match expression:
        case And(children):
            return all(matches(child, document) for child in children)
        case Or(children):
            return any(matches(child, document) for child in children)
        case Term():
            return _has(expression, document)


def whole(field: str, value: str) -> Term:
    """The term that a field is this text, in any case: Flower's filters by name and worker."""
    return Term(field, value.casefold(), "whole")


def both(*expressions: Expression | None) -> Expression | None:
    """All of those that are there."""
    there = tuple(one for one in expressions if one is not None)
    return there[0] if len(there) == 1 else And(there) if there else None


def _has(term: Term, document: Document) -> bool:
    if term.how == "pair":
        return term.value in _pairs(document.kwargs)
    texts = [_folded(getattr(document, field)) for field in ((term.field,) if term.field else ("uuid", *FIELDS))]
    return any(term.value == text if term.how == "whole" else term.value in text for text in texts)


class _Parser:
    """Recursive descent; the depth is bounded by the language."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._index = 0

    def parsed(self) -> Expression | None:
        if self._here.kind == "end":
            return None
        found = self._or(0)
        if self._here.kind != "end":
            raise BadQuery(f"Unexpected {self._here.value!r}", self._here.position)
        return found

    @property
    def _here(self) -> _Token:
        return self._tokens[self._index]

    def _taken(self) -> _Token:
        self._index += 1
        return self._tokens[self._index - 1]

    def _operator(self) -> None:
        operator = self._taken()
        if self._here.kind not in {"term", "("}:
            raise BadQuery(f"{operator.kind} must be followed by a search term", operator.position)

    def _or(self, depth: int) -> Expression:
        children = [self._and(depth)]
        while self._here.kind == "OR":
            self._operator()
            children.append(self._and(depth))
        return children[0] if len(children) == 1 else Or(tuple(children))

    def _and(self, depth: int) -> Expression:
        children = [self._primary(depth)]
        while self._here.kind not in {"end", ")", "OR"}:
            if self._here.kind == "AND":
                self._operator()
            children.append(self._primary(depth))
        return children[0] if len(children) == 1 else And(tuple(children))

    def _primary(self, depth: int) -> Expression:
        token = self._taken()
        if token.kind == "term":
            return _term(token)
        if token.kind != "(":
            raise BadQuery("Expected a search term", token.position)
        if depth >= DEEPEST:
            raise BadQuery(f"Query nesting exceeds {DEEPEST} levels", token.position)
        if self._here.kind == ")":
            raise BadQuery("Empty group", token.position)
        found = self._or(depth + 1)
        if self._here.kind != ")":
            raise BadQuery("Missing closing parenthesis", token.position)
        self._taken()
        return found


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    index = 0
    while index < len(text):
        if text[index].isspace():
            index += 1
            continue
        token, index = _token(text, index)
        tokens.append(token)
        if len(tokens) > MOST_TOKENS:
            raise BadQuery(f"Query exceeds {MOST_TOKENS} tokens")
    return [*tokens, _Token("end", "", len(text))]


def _token(text: str, start: int) -> tuple[_Token, int]:
    if text[start] == "(":
        return _Token("(", "(", start), start + 1
    if text[start] == ")":
        return _Token(")", ")", start), start + 1
    value, quoted, end = _word(text, start)
    if not value:
        raise BadQuery("Empty search term", start)
    if quoted or value not in {"AND", "OR", "NOT"}:
        return _Token("term", value, start), end
    if value == "NOT":
        raise BadQuery("NOT is not supported", start)
    return _Token(value, value, start), end


def _word(text: str, start: int) -> tuple[str, bool, int]:
    """A word, in which quotes may begin and end anywhere; whether there were any; and where it ends."""
    letters: list[str] = []
    quoted = inside = False
    index = start
    while index < len(text):
        letter = text[index]
        if letter == "\\" and text[index + 1 : index + 2] in {'"', "\\"}:
            letters.append(text[index + 1])
            index += 2
            continue
        if letter == '"':
            quoted, inside = True, not inside
        elif not inside and (letter.isspace() or letter in "()"):
            break
        else:
            letters.append(letter)
        index += 1
    if inside:
        raise BadQuery("Unterminated quoted phrase", start)
    return "".join(letters), quoted, index


def _term(token: _Token) -> Term:
    head, colon, tail = token.value.partition(":")
    field = head.casefold() if colon and head.casefold() in FIELDS else None
    value = token.value if field is None else tail
    if field is None and value.startswith("-"):
        raise BadQuery("Negation with '-' is not supported", token.position)
    if not value:
        raise BadQuery("Search qualifier requires a value", token.position)
    if field == "state":
        return Term(field, value.casefold(), "whole")
    if field == "kwargs" and "=" in value:
        key, _, item = value.casefold().partition("=")
        return Term(field, f"{key.strip()}={item.strip()}", "pair")
    if len(value.strip()) < SHORTEST:
        raise BadQuery(f"Substring search terms must contain at least {SHORTEST} characters", token.position)
    return Term(field, value.casefold())


def _pairs(kwargs: str) -> frozenset[str]:
    """The keys and values of arguments that are a whole literal; of a text that was cut there are none."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes in the user's texts
            found = ast.literal_eval(kwargs)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return frozenset()
    if not isinstance(found, Mapping):
        return frozenset()
    return frozenset(f"{_folded(key)}={_folded(item)}" for key, item in found.items())


def _folded(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value.casefold()
        case bytes():
            return value.decode(errors="replace").casefold()
        case _:
            return repr(value).casefold()
