"""The end of a sentence about an unknown word: what was probably meant."""

import difflib
from collections.abc import Iterable

# Half of a word may be wrong before the guess becomes noise: `prot` finds `port` (0.75), `foo` finds nothing.
LIKENESS = 0.7


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Such as ", did you mean `flush_after`?", or nothing when no known word is like it."""
    likely = difflib.get_close_matches(word, list(known), n=1, cutoff=LIKENESS)
    return f", did you mean `{likely[0]}`?" if likely else ""
