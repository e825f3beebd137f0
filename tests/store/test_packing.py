"""The fields of an event survive their short form, whatever they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower_store import event_types, packing

TASK = "00000000-0000-4000-8000-000000000001"
SENT: dict[str, object] = {
    "name": "app.add", "args": "(1, 2)", "kwargs": "{}", "queue": "celery", "routing_key": "celery", "root_id": TASK,
    "retries": 0, "exchange": "", "parent_id": None, "eta": None, "expires": None,
}  # fmt: skip
RECEIVED = {
    name: SENT[name] for name in ("name", "args", "kwargs", "root_id", "retries", "parent_id", "eta", "expires")
}

values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.just(TASK) | st.just("celery")
anything = st.dictionaries(st.sampled_from([*SENT, "result", "runtime", "other"]), values)


def again(code: int, fields: dict[str, object]) -> dict[str, object]:
    name = fields.get("name")
    named = isinstance(name, str) and bool(name)
    text = packing.packed(code, TASK, fields, named=named)
    return packing.unpacked(code, TASK, name if isinstance(name, str) else None, text)


@given(code=st.sampled_from([*event_types.NAMES, 100]), fields=anything)
def test_any_fields_come_back(code: int, fields: dict[str, object]) -> None:
    assert again(code, fields) == fields


@given(changed=st.dictionaries(st.sampled_from(list(SENT)), values))
def test_fields_of_celery_s_own_events_come_back_with_any_values(changed: dict[str, object]) -> None:
    fields = SENT | changed

    assert {name: (value, type(value)) for name, value in again(event_types.SENT, fields).items()} == {
        name: (value, type(value)) for name, value in fields.items()
    }


@pytest.mark.parametrize(
    ("code", "fields", "text"),
    [
        (event_types.SENT, SENT, '["celery","(1, 2)"]'),
        (event_types.RECEIVED, RECEIVED, '["(1, 2)"]'),
        (event_types.RECEIVED, RECEIVED | {"kwargs": "{'a': 1}"}, """["(1, 2)","{'a': 1}"]"""),
        (event_types.STARTED, {}, ""),
        (event_types.SUCCEEDED, {"result": "3", "runtime": 0.25}, '[0.25,"3"]'),
        (event_types.SUCCEEDED, {"result": "None", "runtime": 0.25}, "[0.25]"),
        (event_types.SUCCEEDED, {"result": "3", "runtime": 0.25, "more": 1}, '{"result":"3","runtime":0.25,"more":1}'),
    ],
)
def test_an_ordinary_event_costs_its_values(code: int, fields: dict[str, object], text: str) -> None:
    assert packing.packed(code, TASK, fields, named=True).decode() == text
