"""Answers of workers are bounded before they are unpacked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from flower_collector.mailbox import Answers

MIB = 1024**2


@dataclass
class Packed:
    """An answer on the wire, which tells whether it was unpacked."""

    body: bytes
    headers: Mapping[str, object] = field(default_factory=dict)
    unpacked: bool = False

    def decode(self) -> object:
        self.unpacked = True
        return json.loads(self.body)


def test_a_large_answer_is_left_out_and_never_unpacked() -> None:
    answers = Answers("ticket")
    large, small = Packed(b'"' + b"x" * 9 * MIB + b'"'), Packed(b'"small"')

    answers.take(large)
    answers.take(small)

    assert (answers.kept, answers.left_out, large.unpacked) == (["small"], 1, False)


def test_many_answers_are_left_out_once_there_are_too_many_bytes_of_them() -> None:
    answers = Answers("ticket")

    for _ in range(100):
        answers.take(Packed(b'"' + b"x" * MIB + b'"'))

    assert (len(answers.kept), answers.left_out) == (15, 85)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_an_answer_that_cannot_be_unpacked_spoils_no_other(body: bytes) -> None:
    answers = Answers("ticket")

    answers.take(Packed(body))
    answers.take(Packed(b"1"))

    assert (answers.kept, answers.left_out) == ([1], 1)


def test_an_answer_to_another_question_is_not_kept() -> None:
    answers = Answers("ticket")

    answers.take(Packed(b"1", {"ticket": "another"}))

    assert (answers.kept, answers.left_out) == ([], 0)
