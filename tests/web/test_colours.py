"""States are told apart by their fills too, also by people who see colours differently.

Machado, Oliveira, Fernandes 2009 (severity 1.0) for the three kinds of sight; distance in OKLab (Ottosson 2020)
times 100. The limit of 8 is the design's; shape and word carry the meaning in any case.
"""

import itertools
import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "web" / "frontend" / "styles" / "tokens.css"
STATES = ("sent", "scheduled", "received", "started", "success", "retry", "failure", "revoked")
LIMIT = 8.0

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

SIGHTS: dict[str, Matrix] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
TO_CONE: Matrix = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_LAB: Matrix = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def test_the_two_places_of_the_dark_values_are_equal() -> None:
    by_system, by_choice = blocks()[1:]

    assert by_system == by_choice


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_two_states_are_told_apart(theme: str, sight: str) -> None:
    fills = blocks()[0 if theme == "light" else 1]
    seen = {state: lab(times(SIGHTS[sight], linear(fills[state]))) for state in STATES}

    closest = min(itertools.combinations(STATES, 2), key=lambda pair: distance(seen[pair[0]], seen[pair[1]]))

    assert distance(seen[closest[0]], seen[closest[1]]) >= LIMIT, closest


def blocks() -> list[dict[str, str]]:
    """The values of light, of dark by system, of dark by choice."""
    text = TOKENS.read_text()
    starts = [text.index(mark) for mark in (":root {", ':root:not([data-theme="light"])', ':root[data-theme="dark"]')]
    return [dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", text[at : text.index("}", at)])) for at in starts]


def linear(colour: str) -> Vector:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _linear(red), _linear(green), _linear(blue)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def times(matrix: Matrix, vector: Vector) -> Vector:
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return first, second, third


def lab(colour: Vector) -> Vector:
    clipped = [min(1.0, max(0.0, value)) for value in colour]
    cones = times(TO_CONE, (clipped[0], clipped[1], clipped[2]))
    return times(TO_LAB, (cones[0] ** (1 / 3), cones[1] ** (1 / 3), cones[2] ** (1 / 3)))


def distance(one: Vector, other: Vector) -> float:
    return 100 * float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)
