"""The language of searches: what is taken, what is refused and where, and that a written query is the same query."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower_store import query, query_text, states, timewords
from flower_store.query import And, BadQuery, Between, Compare, Has, Not, Number, Or, Query, Value, Word

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)


def has(key: str, *values: str | Value) -> Has:
    return Has(key, tuple(value if isinstance(value, Value) else Value(value) for value in values))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("  ", None),
        ("state:failure", has("state", "FAILURE")),
        ("STATE:Failure,retry", has("state", "FAILURE", "RETRY")),
        ("name:app.email.*", has("name", Value("app.email.", prefix=True))),
        ('name:"a b","c*"*', has("name", "a b", Value("c*", prefix=True))),
        ("state:FAILURE name:x", And((has("state", "FAILURE"), has("name", "x")))),
        ("state:FAILURE AND name:x", And((has("state", "FAILURE"), has("name", "x")))),
        ("state:FAILURE OR name:x is:lost", Or((has("state", "FAILURE"), And((has("name", "x"), has("is", "lost")))))),
        ("(name:a OR name:b) -queue:c", And((Or((has("name", "a"), has("name", "b"))), Not(has("queue", "c"))))),
        ("-(name:a name:b)", Not(And((has("name", "a"), has("name", "b"))))),
        ("runtime>30s", Compare("runtime", ">", Number("30s"))),
        ("wait<=5m", Compare("wait", "<=", Number("5m"))),
        ("retries>=2", Compare("retries", ">=", Number("2"))),
        ("retries:2", Between("retries", Number("2"), Number("2"))),
        ("runtime:1.5s..2h", Between("runtime", Number("1.5s"), Number("2h"))),
        ("after:-6h before:2026-11-24T10:00:00Z", And((has("after", "-6h"), has("before", "2026-11-24T10:00:00Z")))),
        ("kwargs.user.Id:7", has("kwargs.user.Id", "7")),
        ("kwargs:k=v", has("kwargs", "k=v")),
        ("args.0:x", has("args.0", "x")),
        ("abc", Word(Value("abc"))),
        ('"abc def"', Word(Value("abc def"))),
        ("or", Word(Value("or"))),
        ("id:0190aaaa*", has("id", Value("0190aaaa", prefix=True))),
    ],
)
def test_a_text_is_read(text: str, expected: Query | None) -> None:
    assert query_text.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "position", "rule"),
    [
        ("name:x state:", 13, "state needs a value: one of PENDING"),
        ("state:done", 6, "and not 'done'"),
        ("name:x is:gone", 10, "is is one of running"),
        ("nam:x", 0, "did you mean name?"),
        ("name:x colour:red", 7, "there is no key 'colour'"),
        ("http://x", 0, "there is no key 'http'"),
        ('name:"x', 5, "no second one"),
        ("name:*", 5, "needs a text before *"),
        ("name:x,", 7, "name needs a value"),
        ("name:x)", 6, "closes nothing"),
        ("(name:x", 0, "is not closed"),
        ("name:x (", 7, "is not closed"),
        ("()", 0, "empty"),
        ("name:x OR", 7, "OR needs a term behind it"),
        ("name:x AND OR y", 7, "AND needs a term behind it"),
        ("OR x", 0, "OR needs a term before it"),
        ("NOT x", 0, "write - before"),
        ("name:x - y", 7, "right behind it"),
        ("--x", 0, "right behind it"),
        ("runtime>fast", 8, "runtime needs a length of time"),
        ("runtime:5s..1s", 0, "smaller number first"),
        ("retries>2s", 9, "retries ends before this"),
        ("name>x", 0, "takes a colon"),
        ("after:noon", 6, "after must be a time"),
        ("after:-99999999d", 6, "after must be at most 36500d (100 years) ago"),
        ("id:0190*", 3, "at least 8 characters"),
        ("priority:3", 0, "no event tells"),
        ("header.x:1", 0, "no event tells"),
        ("kwargs..x:1", 0, "a path is"),
        ("args.first:1", 0, "a path is"),
        ("state:FAIL*", 6, "without * at the end"),
        ('"a"b', 3, "ends before this"),
        ("x" * 4001, 4000, "at most 4,000"),
        ("(" * 21 + "x" + ")" * 21, 20, "20 deep"),
        ("x " * 101, 200, "100 terms"),
    ],
)
def test_what_is_no_query_is_told_by_place_and_rule(text: str, position: int, rule: str) -> None:
    with pytest.raises(BadQuery) as caught:
        query_text.parse(text)

    assert caught.value.position == position
    assert rule in str(caught.value)


VALUES = st.builds(Value, st.text(min_size=1, max_size=12), st.booleans())
WHOLE = st.builds(Value, st.text(min_size=1, max_size=12))
UNITS = st.sampled_from(["", *timewords.UNITS])
LENGTHS = st.tuples(st.integers(0, 99_999), UNITS).map(lambda pair: Number(f"{pair[0]}{pair[1]}"))
COUNTS = st.integers(0, 99).map(lambda number: Number(str(number)))


def one_or_more(values: st.SearchStrategy[Value]) -> st.SearchStrategy[tuple[Value, ...]]:
    return st.lists(values, min_size=1, max_size=3).map(tuple)


def numeric(key: str, numbers: st.SearchStrategy[Number]) -> st.SearchStrategy[Query]:
    ordered = st.tuples(numbers, numbers).map(lambda pair: sorted(pair, key=lambda one: one.value))
    return st.one_of(
        st.builds(Compare, st.just(key), st.sampled_from([">", ">=", "<", "<="]), numbers),
        ordered.map(lambda pair: Between(key, pair[0], pair[1])),
    )


TERMS: st.SearchStrategy[Query] = st.one_of(
    st.builds(Word, VALUES),
    st.builds(Has, st.sampled_from(["name", "queue", "worker", "error", "routing"]), one_or_more(VALUES)),
    st.builds(Has, st.sampled_from(["text", "args", "kwargs", "result", "kwargs.a.B", "args.0"]), one_or_more(WHOLE)),
    st.builds(Has, st.just("state"), one_or_more(st.sampled_from(states.ALL).map(Value))),
    st.builds(Has, st.just("is"), one_or_more(st.sampled_from(query.IS).map(Value))),
    st.builds(Has, st.sampled_from(["after", "before"]), st.sampled_from(["-6h", "today", "2026-11-24"]).map(
        lambda one: (Value(one),))),
    numeric("runtime", LENGTHS),
    numeric("retries", COUNTS),
)  # fmt: skip


def joined(children: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    several = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, children))


QUERIES = st.recursive(TERMS, joined, max_leaves=8)


@given(QUERIES)
def test_a_written_query_is_read_as_the_same(one: Query) -> None:
    assert query_text.parse(query_text.text(one)) == one


PIECES = st.sampled_from([
    "name:", "state:", "FAILURE", "is:", "lost", "runtime>", "5s", "..", "-", "(", ")", '"', "\\", "*", ",", " ", "OR",
    "AND", "a", "after:", "-6h", "kwargs.x:", "é", "\0", ":", ">", "1",
])  # fmt: skip


@given(st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=30)))
def test_any_text_is_a_query_or_is_refused_at_a_place_in_it(text: str) -> None:
    try:
        found = query_text.parse(text)
    except BadQuery as error:
        place: int | None = error.position
    else:
        place = None
        assert query_text.parse(query_text.text(found)) == found

    assert place is None or 0 <= place <= len(text)


@pytest.mark.parametrize(
    "text",
    ["text:x", "name:a OR text:x", "-text:x", "args.0:5 after:-25h", "kwargs.a:5 runtime>1s", "result:x -name:a"],
)
def test_a_search_through_all_texts_is_refused(text: str) -> None:
    found = query_text.parse(text)
    assert found is not None

    with pytest.raises(BadQuery, match="needs a time range of at most 24 hours"):
        query.check_bounds(found, now=NOW)
    query.check_bounds(found, now=NOW, bounded=True)


@pytest.mark.parametrize(
    "text",
    ["text:x after:-24h", "text:x name:a", "text:x (name:a OR worker:b)", "(text:x OR args:y) state:FAILURE", "name:a"],
)
def test_a_search_through_few_texts_is_taken(text: str) -> None:
    found = query_text.parse(text)
    assert found is not None

    query.check_bounds(found, now=NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("TODAY", NOW.replace(hour=0, minute=0)),
        ("yesterday", datetime(2026, 11, 23, tzinfo=UTC)),
        ("-90m", datetime(2026, 11, 24, 14, tzinfo=UTC)),
        ("-0.5h", datetime(2026, 11, 24, 15, tzinfo=UTC)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T10:00:00+02:00", datetime(2026, 11, 24, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read(text: str, expected: datetime) -> None:
    assert timewords.parse(text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        *((text, timewords.RULE) for text in ("", "soon", "-6y", "6h", "2026-13-01", "-.5h", "-1 h", "-٣h")),
        *((text, timewords.TOO_LONG_AGO) for text in ("-400000d", "-36500.1d", "-999999999999d", f"-{'9' * 400}ms")),
        *((text, timewords.OUT_OF_RANGE) for text in ("0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:59")),
    ],
)
def test_what_is_no_moment_is_refused_with_the_rule_that_it_breaks(text: str, rule: str) -> None:
    with pytest.raises(timewords.BadTime) as told:
        timewords.parse(text, NOW)

    assert str(told.value) == rule
