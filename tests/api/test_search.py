"""Flower's search, over the store: what it finds, and in which words it refuses."""

from urllib.parse import urlencode

import httpx
import pytest
from tests.api import written
from tests.api.test_tasks import ids
from tests.api.written import an_event

from flower_store import flower_query
from flower_store.settings import StoreSettings

UUID = "0190aaaa-bbbb-4ccc-8ddd-eeeeffff0001"
TASKS = [
    an_event("received", "pay", 0, name="shop.Pay", args="(1, 'Straße')", kwargs="{'user': 'Ann', 'n': 2}"),
    an_event("succeeded", "pay", 1, result="'100% done'", runtime=1.0),
    an_event("received", "mail", 10, hostname="celery@ZWEI", name="shop.mail", args="('a b',)", kwargs="{'u': 'Bob'}"),
    an_event("started", "mail", 11, hostname="celery@ZWEI"),
    an_event("failed", "mail", 12, hostname="celery@ZWEI", exception="ValueError('hidden')", traceback="hidden"),
    an_event("received", UUID, 20, name="app.report", args="('ΣΊΣΥΦΟΣ',)", kwargs="{'user': 'Ann', 'cut': 'xxxx..."),
    an_event("sent", "later", 30, name="app.later", args="('\u212aelvin', '日本')", kwargs="{'q': 'it\\'s', 'f': 1.5}"),
]  # fmt: skip


@pytest.fixture(scope="module")
def searched(standing_store: StoreSettings) -> str:
    written.into(standing_store, "searched", TASKS)
    return "searched"


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("shop", ["mail", "pay"]),
        ("SHOP", ["mail", "pay"]),
        ("state:success", ["pay"]),
        ("State:FAILURE", ["mail"]),
        ("state:succ", []),
        ("succ", ["pay"]),
        ("name:shop.pay", ["pay"]),
        ("name:pay worker:one", ["pay"]),
        ("worker:zwei", ["mail"]),
        ("worker:celery state:RECEIVED", [UUID]),
        ("args:strasse", ["pay"]),
        ("args:STRASSE OR name:later", ["later", "pay"]),
        ("σίσυφοσ", [UUID]),
        ("ΣΊΣΥΦΟς", [UUID]),
        ("kelvin", ["later"]),
        ("args:'日本'", ["later"]),
        ('args:"a b"', ["mail"]),
        ('"100% done"', ["pay"]),
        ("100%x", []),
        ("result:done", ["pay"]),
        ("hidden", []),
        ("kwargs:user=ann", ["pay"]),
        ("kwargs:user=Ann", ["pay"]),
        ("kwargs:user=an", []),
        ("kwargs:n=2", ["pay"]),
        ("kwargs:f=1.5", ["later"]),
        ("kwargs:q=it's", ["later"]),
        ("kwargs:ann", [UUID, "pay"]),
        (UUID[:13], [UUID]),
        (UUID.upper(), [UUID]),
        ("mail", ["mail"]),
        ("pay OR mail state:FAILURE", ["mail", "pay"]),
        ("(pay OR mail) state:FAILURE", ["mail"]),
        ("(pay OR mail) AND (state:FAILURE OR state:SUCCESS)", ["mail", "pay"]),
        ("uuid:pay", []),
        ("shop AND mail", ["mail"]),
        ("   ", ["later", UUID, "mail", "pay"]),
    ],
)
def test_search_finds_what_flower_finds(
    standing_api: httpx.Client, searched: str, search: str, expected: list[str]
) -> None:
    assert ids(standing_api.get("/api/tasks", params={"search": search, "cluster": searched})) == expected


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ('args:"open', "Unterminated quoted phrase at position 0."),
        ('shop ""', "Empty search term at position 5."),
        ("NOT shop", "NOT is not supported at position 0."),
        ("shop -mail", "Negation with '-' is not supported at position 5."),
        ("shop state:", "Search qualifier requires a value at position 5."),
        ("ab", "Substring search terms must contain at least 3 characters at position 0."),
        ("shop OR", "OR must be followed by a search term at position 5."),
        ("shop AND OR mail", "AND must be followed by a search term at position 5."),
        ("shop ()", "Empty group at position 5."),
        ("(shop", "Missing closing parenthesis at position 0."),
        ("OR shop", "Expected a search term at position 0."),
        ("shop)", "Unexpected ')' at position 4."),
        ("x" * 2049, "Query exceeds 2048 characters."),
        ("abc " * 129, "Query exceeds 128 tokens."),
        ("((((((abc))))))", "Query nesting exceeds 5 levels at position 5."),
    ],
)
def test_what_is_no_query_is_refused_in_flowers_words(standing_api: httpx.Client, search: str, words: str) -> None:
    answer = standing_api.get("/api/tasks", params={"search": search})

    assert (answer.status_code, answer.json()) == (400, {"error": words})
    table = standing_api.get("/tasks/datatable", params=asked(search=search)).json()
    assert (table["searchError"], table["data"], table["recordsFiltered"]) == (words, [], 0)


def test_pages_of_a_search_hold_each_task_once(standing_api: httpx.Client, standing_store: StoreSettings) -> None:
    texts = ["('straße',)", "('STRASSE',)", "('gasse', 'ß')"]
    written.into(
        standing_store,
        "paged-search",
        [an_event("received", f"t{number:04}", number, name="n", args=texts[number % 3]) for number in range(1_200)],
    )
    wanted = {"search": "args:strasse", "cluster": "paged-search", "limit": "300"}

    pages = [ids(standing_api.get("/api/tasks", params={**wanted, "offset": str(start)})) for start in (0, 300, 600)]

    assert [len(page) for page in pages] == [300, 300, 200]
    assert [one for page in pages for one in page] == [f"t{n:04}" for n in reversed(range(1_200)) if n % 3 < 2]
    table = standing_api.get("/tasks/datatable", params=asked(cluster="paged-search", search="args:strasse")).json()
    assert (table["recordsTotal"], table["recordsFiltered"], len(table["data"])) == (1_200, 800, 2)


def asked(*, search: str = "", **others: str) -> dict[str, str]:
    """What DataTables asks for."""
    return {
        "draw": "7", "start": "0", "length": "2", "search[value]": search, "order[0][column]": "1",
        "order[0][dir]": "asc", "columns[1][data]": "name", **others,
    }  # fmt: skip


def test_the_table_gives_a_page_with_both_counts(standing_api: httpx.Client, searched: str) -> None:
    table = standing_api.get("/tasks/datatable", params=asked(search="shop OR report", cluster=searched)).json()

    assert list(table) == ["draw", "data", "recordsTotal", "recordsFiltered"]
    assert (table["draw"], table["recordsTotal"], table["recordsFiltered"]) == (7, 4, 3)
    assert [task["name"] for task in table["data"]] == ["app.report", "shop.mail"]
    assert list(table["data"][0]) == list(standing_api.get(f"/api/task/info/{UUID}?cluster={searched}").json())


def test_the_table_takes_a_form_too(standing_api: httpx.Client, searched: str) -> None:
    wanted = asked(search="name:shop", cluster=searched)
    form = urlencode(wanted).encode()

    posted = standing_api.post(
        "/tasks/datatable", content=form, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert posted.status_code == 200
    assert posted.json() == standing_api.get("/tasks/datatable", params=wanted).json()


@pytest.mark.parametrize(
    ("column", "direction", "expected"),
    [
        ("received", "asc", ["later", "pay", "mail", UUID]),
        ("received", "desc", [UUID, "mail", "pay", "later"]),
        ("name", "desc", ["pay", "mail", UUID, "later"]),
        ("runtime", "desc", ["pay", UUID, "later", "mail"]),
        ("uuid", "asc", [UUID, "later", "mail", "pay"]),
    ],
)
def test_the_table_is_sorted(
    standing_api: httpx.Client, searched: str, column: str, direction: str, expected: list[str]
) -> None:
    more = {"columns[1][data]": column, "order[0][dir]": direction, "length": "10", "cluster": searched}

    table = standing_api.get("/tasks/datatable", params=asked(**more)).json()

    found = [task["uuid"] for task in table["data"]]
    known = {"runtime": 1}.get(column, len(expected))  # the others have no value
    assert found[:known] == expected[:known]
    assert set(found) == set(expected)


@pytest.mark.parametrize("name", ["draw", "start", "length", "order[0][column]"])
def test_the_table_says_what_is_missing_in_flowers_words(standing_api: httpx.Client, name: str) -> None:
    without = {key: value for key, value in asked().items() if key != name}

    missing = standing_api.get("/tasks/datatable", params=without)
    wrong = standing_api.get("/tasks/datatable", params={**without, name: "x"})

    assert (missing.status_code, missing.text) == (400, f"Missing argument {name}")
    assert (wrong.status_code, wrong.text) == (400, "Invalid argument 'x' of type 'int'")
    assert wrong.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "kwargs", ["{[]: 1}", "(" * 10_000, "{'\\d': 1}", "{1: {2: 3}}", "\ud800", "{" + "'a': 1," * 9]
)
def test_arguments_that_are_no_literal_have_no_pairs_and_break_nothing(kwargs: str) -> None:
    document = flower_query.Document(uuid="", name="", state="", worker="", args="", kwargs=kwargs, result="")
    expression = flower_query.parse("kwargs:user=ann")
    assert expression is not None

    assert not flower_query.matches(expression, document)
