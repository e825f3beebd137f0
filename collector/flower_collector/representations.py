"""Hides named values in texts that Python wrote: the representations of arguments, results and exceptions.

Nothing is evaluated. The scanner knows a strict part of the grammar, and where a text that mentions a name is not in it
(a cut literal, an object's own representation, a sentence) it raises Unclear, and the caller hides the whole.
"""

import re
import unicodedata

HIDDEN = "[redacted]"

MAX_DEPTH = 40
"""Levels of brackets that are followed. Celery shows three."""

_LITERAL = re.compile(r"""'(?:[^'\\]++|\\.)*+'|"(?:[^"\\]++|\\.)*+\"""", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_][\w.]*+")
_CONSTANT = re.compile(r"\.\.\.|[+-]?\d[\w.+-]*+|(?:None|True|False|true|false|null|nan|inf)\b")
_OBJECT = re.compile(r"<[^<>'\"\[\]{}()\n]*+>")
_SPACE = re.compile(r"\s*+")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_CUT = "..."
_CUT_KEY = re.compile(r"\.\.\.['\"]\s*:")
_ESCAPED = re.compile(r"\\(?:x|u00|U000000)(?:2[0de]|3\d|[46][1-9a-f]|[57][\da]|5f)", re.IGNORECASE)
"""A letter, digit or separator written as an escape, which Python never does: it may spell a name."""

_ESCAPE = re.compile(r"\\(?:(\\)|x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|U[\dA-Fa-f]{8}|[abfnrtv])?")
"""One of Python's or JSON's; what it stands for, a backslash aside, counts nothing in a name."""

_WRITTEN = 5
"""Times that a text may have been written with escapes, each time within the last."""

_BETWEEN = re.compile(r"[^\w'\"()\[\]{}<>,:;=]++|[_\u115f\u1160\u3164\uffa0]++")
"""What counts nothing in a name: all that is neither letter, digit nor part of the grammar (so whatever is invisible;
Hangul's fillers count as letters)."""

_PLAIN = str.maketrans("", "", "".join(one for one in map(chr, range(128)) if _BETWEEN.fullmatch(one)))
"""The same of ASCII."""


class Unclear(Exception):
    """The text is not a representation that can be taken apart safely."""


class Names:
    """Names whose values are hidden: those that contain one of `words`, whatever their case and separators."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = tuple(_letters(word) for word in words)

    def mentioned(self, text: str) -> bool:
        """Whether the text holds one of the names: `api_key` is also `apiKey`, `API--KEY` and `api\nkey`.

        A backslash may stand for itself or begin an escape, of a text that was written once or again and again.
        """
        if self._in(_letters(text)):
            return True
        if "\\" not in text:
            return False
        if _ESCAPED.search(text):
            return True
        for _ in range(_WRITTEN):
            text = _ESCAPE.sub(r"\1", text)
            if self._in(_letters(text)):
                return True
            if "\\" not in text:
                return False
        return True

    def hide(self, text: str) -> str:
        """The text without the values of the names; raises Unclear."""
        # Celery cuts a long key at a space, and may still write its value.
        return _Scanner(text, self).whole() if self.mentioned(text) or _CUT_KEY.search(text) else text

    def _in(self, letters: str) -> bool:
        return any(word in letters for word in self._words)

    def is_key(self, literal: str) -> bool:
        """Whether this literal, as a key, says that its value is to be hidden."""
        return literal[1:-1].endswith(_CUT) or self.mentioned(literal)


def _letters(text: str) -> str:
    """What of a text counts in a name."""
    if text.isascii():
        return text.translate(_PLAIN).lower()
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", text).casefold())


class _Scanner:
    """One walk over one text. `mention` below: a name stands there without being the name of something hidden."""

    def __init__(self, text: str, names: Names) -> None:
        self._text = text
        self._names = names
        self._position = 0
        self._depth = 0

    def whole(self) -> str:
        """The text, hidden where needed."""
        self._skip(_SPACE)
        shown, mention = self._value()
        self._skip(_SPACE)
        if mention or self._position != len(self._text):
            raise Unclear
        return shown

    def _value(self) -> tuple[str, bool]:
        """One value as it may be shown, and whether it holds a mention."""
        literal = self._skip(_LITERAL)
        if literal:
            return literal, self._names.mentioned(literal)
        if self._peek() in _CLOSING:
            return self._bracket(), False
        constant = self._skip(_CONSTANT)
        if constant:
            return constant, self._names.mentioned(constant)
        opaque = self._skip(_OBJECT)
        if opaque and not self._names.mentioned(opaque):
            return opaque, False
        return self._call(), False

    def _call(self) -> str:
        name = self._skip(_WORD)
        if not name or self._peek() != "(":
            raise Unclear
        inside = self._bracket()
        return name + (f"({HIDDEN})" if self._names.mentioned(name) else inside)

    def _bracket(self) -> str:
        """A bracket and what it holds; all of it is hidden where a mention stands beside other values."""
        opening = self._take()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unclear
        parts: list[str] = []
        mentioned = False
        while self._pad(parts) != _CLOSING[opening]:
            shown, mention = self._item()
            parts.append(shown)
            mentioned |= mention
            if self._pad(parts) == ",":
                parts.append(self._take())
            elif self._peek() != _CLOSING[opening]:
                raise Unclear
        self._depth -= 1
        closing = self._take()
        return opening + (HIDDEN if mentioned else "".join(parts)) + closing

    def _item(self) -> tuple[str, bool]:
        """An element, `key: value` or `name=value`."""
        start = self._position
        name = self._skip(_WORD)
        if name and self._peek() == "=":
            return self._named_value(name + self._take(), hidden=self._names.mentioned(name))
        self._position = start
        key, mention = self._value()
        parts: list[str] = []
        if self._pad(parts) != ":":
            self._position -= sum(map(len, parts))
            return key, mention
        if key[0] not in "'\"":
            if self._names.mentioned(self._text[start : self._position]):
                raise Unclear
            return self._named_value(key + "".join(parts) + self._take(), hidden=False)
        return self._named_value(key + "".join(parts) + self._take(), hidden=self._names.is_key(key))

    def _named_value(self, before: str, *, hidden: bool) -> tuple[str, bool]:
        before += self._skip(_SPACE)
        shown, mention = self._value()
        if hidden:
            return f"{before}{HIDDEN}", False
        return before + shown, mention

    def _pad(self, parts: list[str]) -> str:
        """Keep white space; the character after it."""
        parts.append(self._skip(_SPACE))
        return self._peek()

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._position)
        if found is None:
            return ""
        self._position = found.end()
        return found[0]

    def _peek(self) -> str:
        """The next character; nothing at the end."""
        return self._text[self._position : self._position + 1]

    def _take(self) -> str:
        self._position += 1
        return self._text[self._position - 1]
