"""Reads a structured report (PS3.3 §C.17.3) as a text: a heading, and items within items.

All of its content tree is told, in its order, with what it refers to. How that is written down, as
HTML or plain text, is `text_page`'s.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from pydicom import Dataset

from gateway.pixels.attributes import item, items, numbers, text
from gateway.retrieval.rendering.captions import day, person
from gateway.retrieval.rendering.text_page import Entry, Page
from gateway.retrieval.rendering.words import word

ITEMS_MAX: Final = 20_000
"""Content items that are shown of one document."""
DEPTH_MAX: Final = 64

_EVIDENCE: Final = (
    "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence",
)


class ReportReader:
    """Reads one document.

    Args:
        language: of our own words, one of `words.LANGUAGES`.
    """

    def __init__(self, header: Dataset, language: str) -> None:
        self._header = header
        self._language = language
        self._left = ITEMS_MAX
        self._places = dict(_places(header))

    def read(self) -> Page:
        """The document's text."""
        header = self._header
        title = _meaning(header, "ConceptNameCodeSequence") or self._word("untitled")
        return Page(
            language=self._language,
            title=title,
            facts=[(self._word(name), value) for name, value in self._facts() if value],
            remarks=list(self._remarks()),
            entries=list(self._entries(header, depth=0)),
        )

    def _facts(self) -> Iterator[tuple[str, str]]:
        header = self._header
        yield "patient", person(text(header, "PatientName"))
        yield "born", day(text(header, "PatientBirthDate"))
        yield "sex", text(header, "PatientSex")
        yield "id", text(header, "PatientID")
        made = (day(text(header, "StudyDate")), text(header, "StudyDescription"))
        yield "study", " – ".join(filter(None, made))
        yield "accession", text(header, "AccessionNumber")
        yield "institution", text(header, "InstitutionName")
        yield "written", _moment(text(header, "ContentDate") + text(header, "ContentTime"))
        for author in items(header, "AuthorObserverSequence"):
            yield "author", person(text(author, "PersonName"))
        for one in items(header, "VerifyingObserverSequence"):
            who = (
                person(text(one, "VerifyingObserverName")),
                text(one, "VerifyingOrganization"),
                _moment(text(one, "VerificationDateTime")),
            )
            yield "verified", ", ".join(filter(None, who))

    def _remarks(self) -> Iterator[str]:
        if text(self._header, "VerificationFlag") == "UNVERIFIED":
            yield self._word("unverified")
        if text(self._header, "CompletionFlag") == "PARTIAL":
            yield self._word("partial")

    def _entries(self, parent: Dataset, *, depth: int) -> Iterator[Entry]:
        for child in items(parent, "ContentSequence"):
            self._left -= 1
            if self._left < 0 or depth >= DEPTH_MAX:
                yield Entry(value=self._word("omitted"))
                return
            yield Entry(
                name=_meaning(child, "ConceptNameCodeSequence"),
                value=self._value(child),
                link=self._link(child),
                entries=list(self._entries(child, depth=depth + 1)),
            )

    def _value(self, child: Dataset) -> str:
        if (target := self._referred(child)) is not None:
            named = (_meaning(target, "ConceptNameCodeSequence"), self._value_itself(target))
            return f"{self._word('same_as')}: {': '.join(filter(None, named))}"
        return self._value_itself(child)

    def _referred(self, child: Dataset) -> Dataset | None:
        """The content item that this one refers to, if any (PS3.3 §C.17.3.2.5)."""
        steps = numbers(child, "ReferencedContentItemIdentifier")
        found: Dataset | None = self._header if steps else None
        for step in steps[1:]:  # the first is the root
            children = items(found, "ContentSequence") if found is not None else []
            found = children[int(step) - 1] if 1 <= step <= len(children) else None
        return found

    def _value_itself(self, child: Dataset) -> str:
        match text(child, "ValueType"):
            case "TEXT":
                return _long_text(child, "TextValue")
            case "CODE":
                return _meaning(child, "ConceptCodeSequence")
            case "NUM":
                return _measured(child)
            case "PNAME":
                return person(text(child, "PersonName"))
            case "DATE":
                return day(text(child, "Date"))
            case "TIME":
                return _time(text(child, "Time"))
            case "DATETIME":
                return _moment(text(child, "DateTime"))
            case "UIDREF":
                return text(child, "UID")
            case "IMAGE" | "COMPOSITE" | "WAVEFORM" as kind:
                return self._referenced(child, kind)
            case "SCOORD" | "SCOORD3D" | "TCOORD" as kind:
                return self._region(child, kind)
        return ""

    def _referenced(self, child: Dataset, kind: str) -> str:
        named = {"IMAGE": "image", "WAVEFORM": "waveform"}.get(kind, "object")
        target = item(child, "ReferencedSOPSequence") or Dataset()
        frames = [f"{frame:g}" for frame in numbers(target, "ReferencedFrameNumber")]
        told = f", {self._word('frames')} {', '.join(frames)}" if frames else ""
        return f"{self._word(named)} {text(target, 'ReferencedSOPInstanceUID')}{told}"

    def _region(self, child: Dataset, kind: str) -> str:
        shape = text(child, "TemporalRangeType" if kind == "TCOORD" else "GraphicType")
        points = numbers(child, "GraphicData")
        told = ", ".join(f"{point:g}" for point in points[:16])
        more = " …" if len(points) > 16 else ""
        return f"{self._word('region')} {shape} {told}{more}".rstrip()

    def _link(self, child: Dataset) -> str:
        """Where the image is, from the address of this document's rendering."""
        target = item(child, "ReferencedSOPSequence")
        place = self._places.get(text(target, "ReferencedSOPInstanceUID")) if target else None
        return "" if place is None else f"../../../../../{place}/rendered"

    def _word(self, name: str) -> str:
        return word(name, self._language)


def _places(header: Dataset) -> Iterator[tuple[str, str]]:
    """The address of each instance that the document lists, by its UID."""
    for name in _EVIDENCE:
        for study in items(header, name):
            for series in items(study, "ReferencedSeriesSequence"):
                within = (
                    f"{text(study, 'StudyInstanceUID')}/series/{text(series, 'SeriesInstanceUID')}"
                )
                for one in items(series, "ReferencedSOPSequence"):
                    uid = text(one, "ReferencedSOPInstanceUID")
                    yield uid, f"{within}/instances/{uid}"


def _meaning(holder: Dataset, keyword: str) -> str:
    code = item(holder, keyword)
    return "" if code is None else text(code, "CodeMeaning") or text(code, "CodeValue")


def _measured(child: Dataset) -> str:
    measured = item(child, "MeasuredValueSequence")
    if measured is None:
        return _meaning(child, "NumericValueQualifierCodeSequence")
    unit = item(measured, "MeasurementUnitsCodeSequence") or Dataset()
    symbol = text(unit, "CodeValue")
    named = "" if symbol == "1" else symbol or text(unit, "CodeMeaning")
    return f"{text(measured, 'NumericValue')} {named}".rstrip()


def _long_text(holder: Dataset, keyword: str) -> str:
    """A text with its lines, which `text` would take for a list where one holds a backslash."""
    value = holder.get(keyword)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\\".join(str(one) for one in value)
    return "" if value is None else str(value)


def _time(value: str) -> str:
    return ":".join(filter(None, (value[:2], value[2:4], value[4:6])))


def _moment(value: str) -> str:
    return " ".join(filter(None, (day(value[:8]), _time(value[8:14]))))
