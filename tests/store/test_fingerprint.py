"""What is the same in two failures, by example and by property. Pure."""

import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower_store import fingerprint
from flower_store.fingerprint import Fingerprint

BEGIN = "Traceback (most recent call last):\n"


def line(file: str, function: str, number: int = 7) -> str:
    return f'  File "{file}", line {number}, in {function}\n    some.code()\n'


def trace(*lines: str) -> str:
    return f"{BEGIN}{''.join(lines)}E: x\n"


@pytest.mark.parametrize(
    ("exception", "kind", "message"),
    [
        ("ValueError('order 4711 of \"ann\" is late')", "ValueError", "order <n> of <text> is late"),
        ("KeyError('user_12')", "KeyError", "user_<n>"),
        ("FileNotFoundError(2, 'No such file or directory')", "FileNotFoundError", "<n>, No such file or directory"),
        ('app.errors.Broken("can\'t")', "app.errors.Broken", "can't"),
        ("<app.errors.Broken object at 0x7f12ab>", "app.errors.Broken", ""),
        ("E('to ann@x.org, celery@host1, 10.0.0.1:80')", "E", "to <address>, <address>, <address>"),
        ("E('to fe80::1 and ::1, std::vector')", "E", "to <address> and <address>, std::vector"),
        ("E('at https://x.org/a?b=1 and /srv/app/data/1.csv')", "E", "at <url> and <path>"),
        ("E('C:\\\\data\\\\1.csv')", "E", "<path>"),
        ("E('0190aaaa-bbbb-4ccc-8ddd-eeeeffff0003 or 5c1bdeadbeef at 0x7f')", "E", "<id> or <id> at <address>"),
        ("E('2026-11-20T12:00:00.5Z, 2026-11-20, 12:30:45')", "E", "<time>, <time>, <time>"),
        ("E({'id': 4, 'of': ['a', 1.5]})", "E", "{<text>: <n>, <text>: [<text>, <n>]}"),
        ("E('first\\n  second')", "E", "first second"),
        ("E('it was cut he", "E", "it was cut he"),
        ("E: it says", "E", "it says"),
        ("E()", "E", ""),
        ("E", "E", ""),
        ("no type at all, 3 times", "", "no type at all, <n> times"),
        (None, "", ""),
    ],
)
def test_a_message_is_kept_without_what_differs(exception: str | None, kind: str, message: str) -> None:
    found = fingerprint.fingerprint(exception, None)

    assert (found.exception, found.message, found.frame) == (kind, message, "")


APP = line("/srv/releases/20261120/shop/tasks.py", "charge")
LIBRARY = line("/srv/venv/lib/python3.12/site-packages/httpx/_client.py", "send")
CELERY = line("/srv/venv/lib/python3.12/site-packages/celery/app/trace.py", "trace_task")
PYTHON = line("/usr/lib/python3.12/json/decoder.py", "decode")


@pytest.mark.parametrize(
    ("traceback", "frame"),
    [
        (trace(CELERY, APP, LIBRARY, PYTHON), "shop/tasks.py in charge"),
        (trace(CELERY, LIBRARY, PYTHON), "httpx/_client.py in send"),
        (trace(CELERY, PYTHON), "json/decoder.py in decode"),
        (trace(CELERY), "celery/app/trace.py in trace_task"),
        (trace(line("/app/tasks.py", "run")), "app/tasks.py in run"),
        (trace(line("/srv/app/lib/python3.11/site-packages/shop/pay.py", "<lambda>")), "shop/pay.py in <lambda>"),
        (trace(line("C:\\work\\shop\\tasks.py", "charge")), "shop/tasks.py in charge"),
        (trace(line("<frozen importlib>", "load"), APP), "shop/tasks.py in charge"),
        (trace(line("/a/one.py", "f")) + "\nDuring handling …\n\n" + trace(line("/a/two.py", "g")), "a/two.py in g"),
        ("  + Exception Group " + BEGIN + "  | " + line("/a/group.py", "f").lstrip(), "a/group.py in f"),
        ("E: x", ""),
        ("", ""),
    ],
)
def test_the_frame_is_the_innermost_of_the_user_s_own_code(traceback: str, frame: str) -> None:
    assert fingerprint.fingerprint("E()", traceback).frame == frame


def test_a_very_long_message_or_recursion_does_not_hide_the_frame() -> None:
    long_message = trace(CELERY, APP) + "E: " + "x" * 1_000_000
    recursion = trace(line("/a/top.py", "begin"), *[line("/a/deep.py", "again")] * 20_000)

    assert fingerprint.fingerprint("E()", long_message).frame == "shop/tasks.py in charge"
    assert fingerprint.fingerprint("E()", recursion).frame == "a/deep.py in again"


values = st.one_of(
    st.integers(0, 10**18).map(str),
    st.uuids().map(str),
    st.floats(0, 1e6).map("{:.3f}".format),
)


@given(values, values, st.integers(1, 9_999), st.integers(1, 9_999), st.integers(10**6, 10**9))
def test_values_line_numbers_and_releases_do_not_part_failures(
    one: str, other: str, line_one: int, line_other: int, release: int
) -> None:
    def told(value: str, number: int, of: int) -> Fingerprint:
        return fingerprint.fingerprint(
            f"ValueError('order {value} is late')", trace(line(f"/srv/{of}/shop/tasks.py", "charge", number))
        )

    assert told("5", line_one, release) == told("7", line_other, release + 1)
    assert {told(value, 1, release).message for value in (one, other)} <= {"order <n> is late", "order <id> is late"}


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_quoted_is_one_value(one: str, other: str) -> None:
    found = {fingerprint.fingerprint(f"E({f'got {text!r}'!r})", None).message for text in (one, other)}

    assert found == {"got <text>"}


pieces = st.sampled_from([
    "'", '"', "\\", "/", "a.a@", ":", "f", "0", "1,", "(", "<", " ", "\n", 'File "', "E(", "://", "-", "0x", "✿",
    "\ud800", BEGIN, line("/a/b.py", "f"),
])  # fmt: skip


@given(st.lists(pieces, max_size=12), st.integers(1, 60_000))
def test_any_text_has_a_fingerprint_of_bounded_size_in_bounded_time(parts: list[str], times: int) -> None:
    text = ("".join(parts) * times)[:1_000_000]

    began = time.process_time()
    found = fingerprint.fingerprint(text, text)
    took = time.process_time() - began

    assert found == fingerprint.fingerprint(text, text)
    assert isinstance(found.key, UUID)
    assert len(found.exception) <= fingerprint.LONGEST_NAME
    assert len(found.message) <= fingerprint.LONGEST_MESSAGE
    assert len(found.frame) <= 2 * fingerprint.LONGEST_NAME + 4
    assert "\n" not in found.message + found.frame
    # Usually 1 ms; a reading that were not linear would take minutes.
    assert took < 0.5


def test_the_key_tells_the_parts_apart() -> None:
    parts = (("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("", "ab", "c"))

    assert len({Fingerprint(*some).key for some in parts}) == len(parts)
    assert UUID(int=0) not in {Fingerprint(*some).key for some in parts}
