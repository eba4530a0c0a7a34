"""Names of persons as a search compares them (PS3.4 §C.2.2.2.1, fuzzy semantic matching §C.2.2.2).

Literally, case, accents and ligatures make no difference, and a hyphen, an apostrophe and a blank
are the same: a name is typed by one and searched by another. Fuzzily, words may come in any order
and each may be cut short, particles may be left out, and a compound name may be written as one.
"""

import re
import unicodedata
from typing import Final

GROUPS: Final = 3
"""Component groups of a name: alphabetic, ideographic, phonetic (PS3.5 §6.2.1.2)."""

_LETTERS: Final = str.maketrans(
    {"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
"""Letters that Unicode does not part into a letter and its accent."""
_PARTS_WORDS: Final = re.compile(r"[\s'’ʼ`´\u2010-\u2015_.-]+")
_COMPONENTS: Final = re.compile(r"[\^=]")
_PARTICLES: Final = frozenset(
    "d de du des l le la les della di da dos das van von der den ten ter zu zur".split()
)


def fold(text: str) -> str:
    """The name without what a search passes over; `^`, `=` and wildcards keep their meaning."""
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    plain = "".join(one for one in folded if not unicodedata.category(one).startswith(("M", "C")))
    parts = [_PARTS_WORDS.sub(" ", part).strip() for part in plain.split("^")]
    return "^".join(parts)


def group_keys(name: str) -> tuple[str, str]:
    """What a name is compared by: its alphabetic group, and the two others joined by `=`."""
    groups = [_without_empty_end(one) for one in (fold(name).split("=") + [""] * GROUPS)[:GROUPS]]
    return groups[0], "=".join(groups[1:]) if any(groups[1:]) else ""


def words_of(name: str) -> frozenset[str]:
    """The words by which a fuzzy search finds a name: each of each component, and a compound
    written as one. Particles count only where there is nothing else."""
    found: set[str] = set()
    for component in _components(name):
        found |= {*_telling(component), "".join(component)}
    return frozenset(found)


def asked_words(text: str) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """What a fuzzy search asks of the words of a name: for each component one of the ways, each of
    which is words that words of the name must begin with."""
    asked = []
    for component in _components(text.replace("*", " ").replace("?", " ")):
        ways = {_telling(component), ("".join(component),)}
        asked.append(tuple(sorted(ways)))
    return tuple(asked)


def _components(name: str) -> list[list[str]]:
    parted = [part.split() for part in _COMPONENTS.split(fold(name))]
    return [words for words in parted if words]


def _telling(words: list[str]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in _PARTICLES) or tuple(words)


def _without_empty_end(group: str) -> str:
    return group.rstrip("^ ")
