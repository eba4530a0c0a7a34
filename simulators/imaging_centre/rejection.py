"""Rejection notes (IOCM, RAD-66): key objects that say which instances must not be shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from simulators.synthetic.uids import uid_of

KEY_OBJECTS: Final = "1.2.840.10008.5.1.4.1.1.88.59"
TITLES: Final = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}
"""Codes of CID 7011, in DCM."""

_TAKEN_OVER = (
    "SpecificCharacterSet PatientName PatientID IssuerOfPatientID PatientBirthDate PatientSex"
    " StudyInstanceUID StudyDate StudyTime StudyID AccessionNumber ReferringPhysicianName"
).split()


def build_rejection_note(rejected: Sequence[Dataset], code: str) -> Dataset:
    """A note on instances of one study, in a series of its own (PS3.3 §A.35.4).

    Args:
        rejected: their headers, one at least.
        code: one of `TITLES`.
    """
    first = rejected[0]
    told = (first.StudyInstanceUID, code, *(str(one.SOPInstanceUID) for one in rejected))
    ds = Dataset()
    for keyword in _TAKEN_OVER:
        if keyword in first:
            ds[keyword] = first[keyword]
    ds.SOPClassUID = UID(KEY_OBJECTS)
    ds.SOPInstanceUID = uid_of("rejection", *told)
    ds.SeriesInstanceUID = uid_of("rejections", *told)
    ds.Modality = "KO"
    ds.SeriesNumber, ds.InstanceNumber = 900, 1
    ds.SeriesDescription = "Rejection note"
    ds.Manufacturer = "Synthetic"
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.ContentDate, ds.ContentTime = first.StudyDate, first.StudyTime
    ds.CurrentRequestedProcedureEvidenceSequence = [_evidence(rejected)]
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [_code(code, TITLES[code])]
    ds.ContentTemplateSequence = [_template()]
    ds.ContentSequence = [_content(one) for one in rejected]
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def save_rejection_note(files: Sequence[Path], code: str, path: Path) -> Path:
    """Write the note on these files; the path of the note."""
    rejected = [dcmread(file, stop_before_pixels=True) for file in files]
    build_rejection_note(rejected, code).save_as(path, enforce_file_format=True)
    return path


def _evidence(rejected: Sequence[Dataset]) -> Dataset:
    study = Dataset()
    study.StudyInstanceUID = rejected[0].StudyInstanceUID
    by_series: dict[str, list[Dataset]] = {}
    for one in rejected:
        by_series.setdefault(str(one.SeriesInstanceUID), []).append(_reference(one))
    study.ReferencedSeriesSequence = []
    for uid, references in by_series.items():
        series = Dataset()
        series.SeriesInstanceUID = uid
        series.ReferencedSOPSequence = references
        study.ReferencedSeriesSequence.append(series)
    return study


def _reference(one: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = one.SOPClassUID
    item.ReferencedSOPInstanceUID = one.SOPInstanceUID
    return item


def _content(one: Dataset) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "IMAGE"
    item.ReferencedSOPSequence = [_reference(one)]
    return item


def _template() -> Dataset:
    item = Dataset()
    item.MappingResource, item.TemplateIdentifier = "DCMR", "2010"
    return item


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
