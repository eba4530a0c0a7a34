"""Writes MADO manifests as key object documents (IHE RAD MADO Rev 1.1; DICOM CP-2595).

They are those of XDS-I.b with an Image Library (TID 1600) that describes series and instances. What
describes an instance lies in its item, as the template has it; IHE's samples have it before.

What a key object selects is left out, as is the AE title, which XDS-I.b has.
"""

from typing import Final

from gateway.manifest import concepts, values
from gateway.manifest.concepts import SchemeNames, coded, standard
from gateway.manifest.encoding import EXPLICIT_UTF_8, Item, key_object_file
from gateway.manifest.kos import (
    OwnSeries,
    contained,
    content,
    header,
    reference,
    references,
    sole_accession,
)
from gateway.manifest.model import (
    MadoCodes,
    Manifest,
    ManifestInstance,
    ManifestSeries,
    service_url,
)
from gateway.manifest.names import modality_name
from indexer.contract.document import Code

PRIVATE_CREATOR: Final = "IHE_MADO_PRIVATE"
PRIVATE_DISPLAY_URI: Final = 0x01
"""Its element in the block of that creator."""


def write_mado_kos(manifest: Manifest, own: OwnSeries, codes: MadoCodes) -> bytes:
    """In Explicit VR and UTF-8."""
    writer = _Writer(manifest, codes)
    document = {
        **header(manifest, own, EXPLICIT_UTF_8),
        **sole_accession(manifest, EXPLICIT_UTF_8),
        **content(concepts.TITLE.item(codes), writer.tree()),
        "CurrentRequestedProcedureEvidenceSequence": [_evidence(manifest, codes)],
        **writer.schemes(),
    }
    return key_object_file(document, EXPLICIT_UTF_8)


def _evidence(manifest: Manifest, codes: MadoCodes) -> Item:
    """Where each series can be had: the service's address, not the series' own."""
    study = manifest.study
    return {
        "StudyInstanceUID": study,
        "ReferencedSeriesSequence": [
            {
                "SeriesInstanceUID": one.series,
                **_told("RetrieveLocationUID", one.location_uid),
                **_told("RetrieveURL", service_url(one.retrieve_url, study, one.series)),
                "ReferencedSOPSequence": [reference(each) for each in one.instances],
            }
            for one in manifest.series
        ],
        **_display(manifest.display_uri, codes),
    }


def _display(uri: str, codes: MadoCodes) -> Item:
    """A private element in the trial, for the standard had none."""
    if not uri:
        return {}
    if codes is MadoCodes.FINAL:
        return {"DisplayURI": uri}
    return {"MadoPrivateCreator": PRIVATE_CREATOR, "MadoPrivateDisplayURI": uri}


def _told(keyword: str, value: str) -> Item:
    return {keyword: value} if value else {}


class _Writer:
    """The content tree of one manifest."""

    def __init__(self, manifest: Manifest, codes: MadoCodes) -> None:
        self._manifest = manifest
        self._codes = codes
        told = [*manifest.acts, *manifest.regions]
        told += [one.region for one in manifest.series if one.region is not None]
        told += [
            each.selection.title
            for one in manifest.series
            for each in one.instances
            if each.selection is not None and each.selection.title is not None
        ]
        self._schemes = SchemeNames(told)

    def schemes(self) -> Item:
        """What explains the designators of this document's own."""
        own = self._schemes.identification
        return {"CodingSchemeIdentificationSequence": own} if own else {}

    def tree(self) -> list[Item]:
        """The acts, the library, and each instance once more, as in every key object document."""
        acts = [
            self._code(concepts.PROCEDURE, one, relation="HAS CONCEPT MOD")
            for one in self._manifest.acts
        ]
        return [*acts, self._library(), *references(self._manifest.series)]

    def _library(self) -> Item:
        manifest = self._manifest
        described: list[Item] = [_modality(one) for one in manifest.modalities]
        described += [self._code(concepts.TARGET_REGION, one) for one in manifest.regions]
        count = concepts.SERIES_COUNT.item(self._codes)
        described.append(_number(count, len(manifest.series), "{series}"))
        groups = [self._group(one) for one in manifest.series]
        return _container(concepts.LIBRARY, [*described, *groups])

    def _group(self, listed: ManifestSeries) -> Item:
        """One series (TID 1602)."""
        codes = self._codes
        described: list[Item] = [_modality(listed.modality)] if listed.modality else []
        if listed.region is not None:
            described.append(self._code(concepts.TARGET_REGION, listed.region))
        if listed.date:
            date = concepts.SERIES_DATE.item(codes)
            described.append(_context("DATE", date, {"Date": listed.date}))
        if listed.time:
            time = concepts.SERIES_TIME.item(codes)
            described.append(_context("TIME", time, {"Time": listed.time}))
        if listed.description:
            name = concepts.SERIES_DESCRIPTION.item(codes)
            described.append(_text(name, listed.description))
        if listed.number:
            described.append(_text(standard(concepts.SERIES_NUMBER), listed.number))
        uid = standard(concepts.SERIES_UID)
        described.append(_context("UIDREF", uid, {"UID": listed.series}))
        count = concepts.INSTANCE_COUNT.item(codes)
        described.append(_number(count, len(listed.instances), "{instances}"))
        entries = [self._entry(one) for one in listed.instances]
        return _container(concepts.GROUP, [*described, *entries])

    def _entry(self, one: ManifestInstance) -> Item:
        """One instance (TID 1601)."""
        described: list[Item] = []
        if one.number:
            described.append(_text(standard(concepts.INSTANCE_NUMBER), one.number))
        if one.frames is not None:
            described.append(_number(standard(concepts.FRAMES), one.frames, "1"))
        if one.selection is not None and one.selection.title is not None:
            described.append(self._code(concepts.DOCUMENT_TITLE, one.selection.title))
        if one.selection is not None and one.selection.text:
            name = standard(concepts.KEY_OBJECT_DESCRIPTION)
            described.append(_text(name, one.selection.text))
        entry = contained(one)
        return {**entry, "ContentSequence": described} if described else entry

    def _code(self, name: str, value: Code, *, relation: str = "HAS ACQ CONTEXT") -> Item:
        told = {"ConceptCodeSequence": [self._schemes.item(value)]}
        return _context("CODE", standard(name), told, relation=relation)


def _context(
    value_type: str, name: Item, value: Item, *, relation: str = "HAS ACQ CONTEXT"
) -> Item:
    return {
        "RelationshipType": relation,
        "ValueType": value_type,
        "ConceptNameCodeSequence": [name],
        **value,
    }


def _modality(code: str) -> Item:
    told = {"ConceptCodeSequence": [coded(code, "DCM", modality_name(code))]}
    return _context("CODE", standard(concepts.MODALITY), told)


def _text(name: Item, text: str) -> Item:
    return _context("TEXT", name, {"TextValue": values.clean(text)})


def _number(name: Item, count: int, unit: str) -> Item:
    units = coded(unit, "UCUM", "no units" if unit == "1" else unit)
    measured = {"NumericValue": str(count), "MeasurementUnitsCodeSequence": [units]}
    return _context("NUM", name, {"MeasuredValueSequence": [measured]})


def _container(name: str, items: list[Item]) -> Item:
    return {
        "RelationshipType": "CONTAINS",
        "ValueType": "CONTAINER",
        "ConceptNameCodeSequence": [standard(name)],
        "ContinuityOfContent": "SEPARATE",
        "ContentSequence": items,
    }
