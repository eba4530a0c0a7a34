"""Coded concepts of manifests: those of MADO under each of their codes, and how schemes are named.

Of MADO's own concepts the codes still change: the trial (IHE RAD MADO Rev 1.1) has 99IHE, CP-2595
has DCM, and drafts had `ddd` and a number. One is written, as is set; all are read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.manifest.data_set import DataSet, holding
from gateway.manifest.encoding import Item
from gateway.manifest.model import MadoCodes
from gateway.manifest.values import LONG_LENGTH_MAX, SHORT_LENGTH_MAX, long_string
from indexer.contract.document import Code

DCM: Final = "1.2.840.10008.2.16.4"
SCT: Final = "2.16.840.1.113883.6.96"
LOINC: Final = "2.16.840.1.113883.6.1"

_DESIGNATORS: Final = {DCM: "DCM", SCT: "SCT", LOINC: "LN"}
_SCHEMES: Final = {designator: scheme for scheme, designator in _DESIGNATORS.items()}
_SYSTEMS: Final = {
    DCM: "http://dicom.nema.org/resources/ontology/DCM",
    SCT: "http://snomed.info/sct",
    LOINC: "http://loinc.org",
}
_OIDS: Final = {system: scheme for scheme, system in _SYSTEMS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MadoConcept:
    """A concept that MADO brought."""

    number: int
    """What its code ended with in drafts and in the trial."""
    final: str
    meaning: str

    def item(self, codes: MadoCodes) -> Item:
        """Its Code Sequence item."""
        trial = f"MADOTEMP{self.number:03}"
        return coded(trial if codes is MadoCodes.TRIAL else self.final, codes, self.meaning)

    @property
    def values(self) -> frozenset[str]:
        """Every code value that it is known to have had."""
        return frozenset({f"MADOTEMP{self.number:03}", f"ddd{self.number:03}", self.final})


TITLE: Final = MadoConcept(number=1, final="131560", meaning="Manifest with Description")
SERIES_DESCRIPTION: Final = MadoConcept(number=2, final="131563", meaning="Series Description")
SERIES_DATE: Final = MadoConcept(number=3, final="131561", meaning="Series Date")
SERIES_TIME: Final = MadoConcept(number=4, final="131562", meaning="Series Time")
INSTANCE_COUNT: Final = MadoConcept(
    number=7, final="131564", meaning="Number of Series Related Instances"
)
SERIES_COUNT: Final = MadoConcept(
    number=9, final="131565", meaning="Number of Study Related Series"
)

LIBRARY: Final = "111028"
GROUP: Final = "126200"
MODALITY: Final = "121139"
TARGET_REGION: Final = "123014"
PROCEDURE: Final = "121023"
SERIES_NUMBER: Final = "113607"
SERIES_UID: Final = "112002"
INSTANCE_NUMBER: Final = "113609"
FRAMES: Final = "121140"
DOCUMENT_TITLE: Final = "121144"
KEY_OBJECT_DESCRIPTION: Final = "113012"
MANIFEST: Final = "113030"

_MEANINGS: Final = {
    LIBRARY: "Image Library",
    GROUP: "Image Library Group",
    MODALITY: "Modality",
    TARGET_REGION: "Target Region",
    PROCEDURE: "Procedure Code",
    SERIES_NUMBER: "Series Number",
    SERIES_UID: "Series Instance UID",
    INSTANCE_NUMBER: "Instance Number",
    FRAMES: "Number of Frames",
    DOCUMENT_TITLE: "Document Title",
    KEY_OBJECT_DESCRIPTION: "Key Object Description",
    MANIFEST: "Manifest",
}


def coded(value: str, scheme: str, meaning: str) -> Item:
    """A Code Sequence item (PS3.3 §8.1)."""
    keyword = "CodeValue" if len(value) <= SHORT_LENGTH_MAX else "LongCodeValue"
    return {keyword: value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def standard(value: str) -> Item:
    """The item of a concept of DICOM's own that is named in this module."""
    return coded(value, "DCM", _MEANINGS[value])


class SchemeNames:
    """How one data set designates coding schemes: those that DICOM has no designator for get one
    of its own, explained in the CodingSchemeIdentificationSequence (PS3.3 §C.12.1.1.1)."""

    def __init__(self, codes: Iterable[Code]) -> None:
        others = sorted({one.scheme for one in codes} - _DESIGNATORS.keys())
        self._own = {scheme: f"99OID{number}" for number, scheme in enumerate(others, start=1)}

    def item(self, code: Code) -> Item:
        """The code's item; its meaning is cut where it is too long for its VR."""
        designator = _DESIGNATORS.get(code.scheme) or self._own[code.scheme]
        meaning = long_string(code.display, "utf-8") or code.code
        return coded(code.code, designator, meaning[:LONG_LENGTH_MAX])

    @property
    def identification(self) -> list[Item]:
        """What explains the designators of this data set's own."""
        return [
            {"CodingSchemeDesignator": designator, _scheme_keyword(scheme): scheme}
            for scheme, designator in self._own.items()
        ]


def _scheme_keyword(scheme: str) -> str:
    """A scheme may be named by a URI, too."""
    return "CodingSchemeUID" if scheme[:1].isdigit() else "CodingSchemeExternalID"


def read_schemes(document: DataSet) -> dict[str, str]:
    """The OID of each scheme that the data set designates in its own way, and of the usual ones."""
    own = {
        one.text("CodingSchemeDesignator"): one.text(keyword)
        for one in document.items("CodingSchemeIdentificationSequence")
        for keyword in ("CodingSchemeExternalID", "CodingSchemeUID")
        if one.text(keyword)
    }
    return {**own, **_SCHEMES}


def read_code(item: DataSet, keyword: str, schemes: dict[str, str]) -> Code | None:
    """The code in a sequence of one; a scheme without a known OID is told by its designator."""
    if not (value := code_value(item, keyword)):
        return None
    found = item.first(keyword)
    designator = found.text("CodingSchemeDesignator")
    return Code(
        code=value,
        scheme=schemes.get(designator, designator),
        display=found.text("CodeMeaning"),
    )


def code_value(item: DataSet, keyword: str) -> str:
    """The value of the code in a sequence of one; empty where there is none."""
    found = item.first(keyword)
    return found.text("CodeValue") or found.text("LongCodeValue")


def content_tree(document: DataSet) -> list[DataSet]:
    """The items below the root; a converter of IHE's samples writes the root in them once more."""
    found = document.items("ContentSequence")
    title = code_value(document, "ConceptNameCodeSequence")
    named = holding(found, "ConceptNameCodeSequence")
    titles = {code_value(one, "ConceptNameCodeSequence") for one in named}
    if title and len(named) == len(found) and titles == {title}:
        return [below for one in found for below in one.items("ContentSequence")]
    return found


def fhir_system(scheme: str) -> str:
    """The URI of a code system or of an authority, of which the OID is known."""
    return _SYSTEMS.get(scheme) or (f"urn:oid:{scheme}" if scheme[:1].isdigit() else scheme)


def scheme_of(system: str) -> str:
    """The inverse of `fhir_system`."""
    return _OIDS.get(system) or system.removeprefix("urn:oid:")
