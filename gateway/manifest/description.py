"""The text of a French manifest, which consumers read (concept 113012, Key Object Description).

It is the only place where such a manifest tells the modality and the description of a series, so
it is written to the letter, and read in every form that is known to have been written.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.manifest.model import Manifest
from gateway.manifest.values import code_string
from indexer.contract.document import Code

_SERIES = "Série-"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesWords:
    """What the text tells of one series; empty where it tells nothing."""

    modality: str
    description: str


def write_description(manifest: Manifest) -> str:
    """The text, each line ended by a line feed as in the agency's samples."""
    lines = [
        f"Examen : {manifest.description}",
        f"Acte = {_names(manifest.acts or manifest.regions)}",
    ]
    lines += [
        f"{_SERIES}{one.series} : {one.modality} @ : {one.description}" for one in manifest.series
    ]
    return "".join(f"{line}\n" for line in lines)


def read_description(text: str) -> dict[str, SeriesWords]:
    """What the text tells of each series, by Series Instance UID; the first line of a UID counts.

    Read as well are `Serie-`, an `é` that went through the wrong character set, a region after
    the `@`, and lines without one.
    """
    told: dict[str, SeriesWords] = {}
    for line in text.splitlines():
        head, _, rest = line.partition(":")
        word, _, series = head.strip().rpartition("-")
        if not (word.startswith("S") and word.endswith("rie") and len(word) <= len("SÃ©rie")):
            continue
        modality, _, description = rest.partition(":")
        words = SeriesWords(
            modality=code_string(modality.partition("@")[0]), description=description.strip()
        )
        told.setdefault(series.strip(), words)
    return told


def _names(codes: Iterable[Code]) -> str:
    return ", ".join(one.display for one in codes)
