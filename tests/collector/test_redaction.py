"""What a rule names is never stored, however it is written; what no rule names is left as it was."""

import json
import timeit
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from celery.utils.saferepr import saferepr
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.collector.messages import body, fields, message

from flower_collector import gate, redaction
from flower_collector.representations import HIDDEN, Names
from flower_collector.settings import CollectorSettings
from flower_store.events import TaskEvent
from flower_store.factories import an_event
from flower_store.settings import SettingError

SECRET = "hunter2zq"


def redacted(rules: CollectorSettings, **changed: object) -> TaskEvent:
    """The event as it would be stored."""
    opened = gate.open_message(message(body(**changed)))
    found = redaction.of(rules)
    assert found is not None
    found.apply(opened)
    return opened.tasks[0]


def stored(rules: CollectorSettings, **changed: object) -> str:
    return json.dumps(dict(redacted(rules, **changed).fields), ensure_ascii=False)


PASSWORDS = CollectorSettings(redact=("password", "api_key"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{'user': 'bob', 'password': 'x'}", "{'user': 'bob', 'password': [redacted]}"),
        ("{'Old_Password': {'a': [1, 'x']}, 'b': 2}", "{'Old_Password': [redacted], 'b': 2}"),
        ('{"apiKey": null, "b": true}', '{"apiKey": [redacted], "b": true}'),
        ("(User(name='bob', password='x, y'), 3)", "(User(name='bob', password=[redacted]), 3)"),
        ("({'api-key': 'it\\'s'}, [], ())", "({'api-key': [redacted]}, [], ())"),
        ("[('password', 'x'), ('b', 'y')]", "[([redacted]), ('b', 'y')]"),
        ("{'a': <User: bob>, 'password': 'x', ...}", "{'a': <User: bob>, 'password': [redacted], ...}"),
        ("ValueError('bad password: x')", "ValueError([redacted])"),
        ("{'user': 'bob', 'word': 'x'}", "{'user': 'bob', 'word': 'x'}"),
        ("no representation at all: it's (", "no representation at all: it's ("),
    ],
)
def test_the_values_of_named_arguments_are_hidden_and_no_others(before: str, after: str) -> None:
    assert redacted(PASSWORDS, kwargs=before).fields["kwargs"] == after


@pytest.mark.parametrize(
    "text",
    [
        "{'password': 'hunt",
        "{'password': 'hunter', ",
        "{'password': hunter2}",
        "{'a': <Foo it's>, 'password': 'x'}",
        "it's \"password\": 'x'",
        "{'password': b'abc', 'x': 'def'}",
        "wrong password hunter2",
        "postgresql://u:p@h/?password=x",
        "{'a': 'p\\x61ssword=x', 'b': it}",
        "{'my...': 'x', 'a': 1} x",
        "{('a', 'password'): 'x'}",
        "{'password': 'x'} and more",
        "(" * 100 + "'password'" + ")" * 100,
    ],
)
def test_what_mentions_a_name_and_cannot_be_taken_apart_is_hidden_whole(text: str) -> None:
    assert redacted(PASSWORDS, kwargs=text).fields["kwargs"] == HIDDEN


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        *[
            ("apikey", name)
            for name in ("api_key", "x-api-key", "x_api_key", "api.key", "api key", "API__KEY", "apiKey")
        ],
        *[("password", name) for name in ("pass_word", "pass word", "PASS-WORD", "p.a.s.s.w.o.r.d", "user_pass. word")],
        *[("api-key", name) for name in ("apikey", "api - key", "a_pi_key")],
        ("pass_word", "password"),
        ("password", "pass\\x5fword"),
    ],
)
def test_separators_and_case_make_no_difference(rule: str, name: str) -> None:
    rules = CollectorSettings(redact=(rule,))

    found = redacted(
        rules, kwargs=f"{{'a': 1, '{name}': '{SECRET}'}}", own={name: SECRET}, text=f"{name}={SECRET}"
    ).fields

    assert found["kwargs"] == f"{{'a': 1, '{name}': [redacted]}}"
    assert found["own"] == {name: HIDDEN}
    assert found["text"] == HIDDEN


@pytest.mark.parametrize(
    "between",
    [
     "\\n", "\\\\n", "\\t", "\\x00", "\\xad", "\\u200b", "\\U000e0001", "\\\\", "\u200b", "\xad", "\u2060\ufeff",
     "\u034f", "\u3164", "\ufe0f", "/"],
)  # fmt: skip
def test_what_is_escaped_or_invisible_in_a_name_makes_no_difference(between: str) -> None:
    name = between.join(("p", "ass", "word"))

    found = redacted(PASSWORDS, kwargs=f"{{'a': 1, '{name}': '{SECRET}'}}", own={name: SECRET}).fields

    assert found["kwargs"] == f"{{'a': 1, '{name}': [redacted]}}"
    assert found["own"] == {name: HIDDEN}


def test_letters_of_full_width_are_letters() -> None:
    found = redacted(PASSWORDS, kwargs=f"{{'\uff30\uff41\uff53\uff53word': '{SECRET}'}}")

    assert found.fields["kwargs"] == "{'\uff30\uff41\uff53\uff53word': [redacted]}"


@pytest.mark.parametrize("pattern", ["pass*", "*pass*", "*pass"])
def test_a_pattern_hides_no_less_than_its_word(pattern: str) -> None:
    assert redacted(CollectorSettings(redact=(pattern,)), kwargs="{'my_password': 'x', 'b': 2}").fields["kwargs"] == (
        "{'my_password': [redacted], 'b': 2}"
    )


@pytest.mark.parametrize("pattern", ["**", "pa*ss", "*-*", "* *"])
def test_a_pattern_without_a_word_is_refused(pattern: str) -> None:
    with pytest.raises(SettingError, match="must be part of a name"):
        CollectorSettings(redact=(pattern,))


def test_a_key_that_celery_cut_counts_as_named() -> None:
    assert redacted(PASSWORDS, kwargs="{'my...': 'x'}").fields["kwargs"] == "{'my...': [redacted]}"


@pytest.mark.parametrize("unit", ["\\a", "\\xaa", "\\\\a", "a\\", "a_", "a\u200b", "\\", "'a"])
def test_the_time_for_a_text_grows_no_faster_than_the_text(unit: str) -> None:
    names = Names(("api_key", "password"))

    def took(length: int) -> float:
        return min(timeit.repeat(lambda: names.mentioned(unit * length), repeat=5, number=1))

    assert took(20_000) < 400 * took(400)  # fifty times as long; 2,500 times where each begins a run


@st.composite
def names(draw: st.DrawFn) -> str:
    """A rule's word as somebody might write it: separators, the invisible, any case, within a longer name."""
    word = draw(st.sampled_from(["password", "apikey"]))
    between = st.text("_-. \n\t\x7f\xad\u200b\u2060\u034f\u3164\U000e0001\\", max_size=2)
    letters = [draw(st.sampled_from([letter, letter.upper()])) + draw(between) for letter in word]
    return draw(st.sampled_from(["", "user_", "x-"])) + "".join(letters) + draw(st.sampled_from(["", "_hint"]))


NAMES = st.sampled_from(["password", "PASSWORD", "user_password", "apiKey", "Api-Key", "password_hint"]) | names()
PLAIN = st.text(max_size=8).filter(lambda text: SECRET not in text)
LEAVES = st.none() | st.booleans() | st.integers() | PLAIN | st.binary(max_size=4)
SECRETS = st.tuples(PLAIN, PLAIN).map(SECRET.join)


@st.composite
def hiding(draw: st.DrawFn) -> Any:
    """Arguments in which a secret stands somewhere under a name."""
    secret, name = draw(SECRETS), draw(NAMES)
    under = draw(st.sampled_from([secret, [secret], {"x": secret}, (1, secret), secret.encode()]))
    value: Any = draw(st.sampled_from([{name: under}, (name, under), [{"name": name, "value": secret}]]))
    for _ in range(draw(st.integers(0, 2))):
        others = draw(st.dictionaries(PLAIN, LEAVES, max_size=2))
        value = draw(st.sampled_from([{**others, "k": value}, [*others.values(), value], {"k": value, **others}]))
    return value


WRITERS: tuple[Callable[[Any], object], ...] = (
    repr,
    lambda value: saferepr(value, maxlen=10_000),
    lambda value: saferepr(value, maxlen=40),
    lambda value: saferepr((value, 1), maxlen=1024),
    lambda value: repr(value)[: len(repr(value)) // 2 + 12],
    lambda value: repr(repr(value)),
    lambda value: json.dumps(value, default=repr),
    lambda value: repr(json.dumps(value, default=repr)),
    lambda value: f"ValueError({value!r})",
    lambda value: f"it failed: {value}\nand more",
    lambda value: json.loads(json.dumps(value, default=repr)),
)


@settings(max_examples=1500, deadline=timedelta(seconds=5))
@given(
    hiding(),
    st.sampled_from(WRITERS),
    st.sampled_from(["args", "kwargs", "result", "exception", "traceback", "own"]),
    st.sampled_from(["task-received", "task-succeeded", "task-own"]),
)
def test_a_secret_under_a_name_never_appears(value: Any, write: Callable[[Any], object], field: str, kind: str) -> None:
    assert SECRET not in stored(PASSWORDS, type=kind, **{field: write(value)})


@settings(max_examples=300)
@given(hiding(), st.sampled_from(WRITERS), st.sampled_from(["args", "result", "traceback", "own", "root_id"]))
def test_a_secret_that_the_values_pattern_finds_never_appears(
    value: Any, write: Callable[[Any], object], field: str
) -> None:
    found = stored(CollectorSettings(redact_values="hunter2[a-z]*"), **{field: write(value)})

    assert field == "root_id" or SECRET not in found


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(["user", "a"]), LEAVES), st.sampled_from(WRITERS[:4]))
def test_arguments_that_no_rule_names_are_stored_as_they_came(value: Any, write: Callable[[Any], object]) -> None:
    text = str(write(value)).replace("\0", "␀").encode(errors="replace").decode().replace("\\x", "")

    assert redacted(CollectorSettings(redact=("qqq",)), kwargs=text).fields["kwargs"] == text


def test_of_a_traceback_that_mentions_a_name_the_frames_remain() -> None:
    text = (
        'Traceback (most recent call last):\n  File "/app/tasks.py", line 3, in login\n    check(password="x1")\n'
        "ValueError: password x1\n"
    )

    found = redacted(PASSWORDS, type="task-failed", exception="ValueError('x')", traceback=text).fields

    assert found["traceback"] == f'  File "/app/tasks.py", line 3, in login\n{HIDDEN}'
    assert found["exception"] == "ValueError('x')"


def test_a_star_hides_all_but_what_celery_says_about_the_task() -> None:
    found = redacted(CollectorSettings(redact=("*",)), result="1", own={"a": 1}, queue="q").fields

    assert found == {
        "name": "app.add", "args": HIDDEN, "kwargs": HIDDEN, "result": HIDDEN, "retries": 0, "queue": "q",
    }  # fmt: skip


def test_arguments_and_results_can_be_left_out() -> None:
    rules = CollectorSettings(store_args=False, store_results=False)

    found = redacted(rules, result="1", exception="ValueError(2)").fields

    assert (found["args"], found["kwargs"], found["result"]) == (HIDDEN, HIDDEN, HIDDEN)
    assert found["exception"] == "ValueError(2)"


def test_of_input_that_is_set_aside_only_the_size_is_kept() -> None:
    opened = gate.open_message(message(body(kwargs=f"\0{SECRET}") + b"x"))
    found = redaction.of(PASSWORDS)
    assert found is not None

    found.apply(opened)

    assert len(opened.aside) == 1
    assert SECRET.encode() not in opened.aside[0].body


def test_an_event_on_which_the_redaction_fails_is_stored_without_what_it_carried() -> None:
    found = redaction.of(PASSWORDS)
    assert found is not None
    bottomless: list[object] = [SECRET]
    for _ in range(10_000):
        bottomless = [bottomless]
    carried = {"name": "app.add", "own": bottomless, "args": SECRET, "result": None}

    with capture_logs() as logged:
        event = found.event(msgspec.structs.replace(an_event("received"), fields=carried))

    assert event.fields == {"name": "app.add", "args": HIDDEN}
    assert [line["event"] for line in logged] == [redaction.REDACTION_DEFECT]


def test_a_text_whose_middle_was_cut_out_is_hidden() -> None:
    text = "{'password': '" + "x" * 1_100_000 + SECRET + "'}"

    assert SECRET not in stored(PASSWORDS, kwargs=text)


def test_without_rules_there_is_no_redaction() -> None:
    assert redaction.of(CollectorSettings()) is None


def test_identities_stay() -> None:
    event = redacted(PASSWORDS, name="app.reset_password", queue="password")

    assert event.fields["name"] == "app.reset_password"
    assert event.task_id == fields()["uuid"]


@pytest.mark.parametrize(
    ("changed", "name"),
    [({"redact": ("pass word",)}, "redact"), ({"redact": ("",)}, "redact"), ({"redact_values": "("}, "redact_values"),
     ({"redact_values": "x*"}, "redact_values")],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused(changed: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingError) as caught:
        CollectorSettings(**changed)

    assert caught.value.name == name
