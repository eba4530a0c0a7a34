"""Studies that somebody has on disk, made ready for the demo.

The files go out as they are. The report needs what no file holds, a national identity, so each
study gets a synthetic one around the local id, the birth date and the sex of its files.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts

from simulators.synthetic.examination import TIME_ZONE, Examination, make_examination
from simulators.synthetic.identity import Patient, make_patient
from simulators.viewers.admissible import ADMISSIBLE

FILES_MAX = 100_000
_OID = re.compile(r"[0-9]+(\.[0-9]+)+")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_NEEDED = (*_UIDS, "PatientID")
_STORABLE = frozenset(context.abstract_syntax for context in AllStoragePresentationContexts)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStudy:
    """A study of the folder, with the examination that its report will be on."""

    examination: Examination
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file, or a study by one of its files, that cannot play, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    header: FileDataset


def find_studies(
    folder: Path, *, seed: int, count_max: int | None
) -> tuple[list[FoundStudy], list[LeftOut]]:
    """The folder's studies in the order of their files' names, and what was left out.

    Raises:
        ValueError: the folder holds more than `FILES_MAX` files.
    """
    left_out: list[LeftOut] = []
    by_study: dict[str, dict[str, _File]] = defaultdict(dict)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    if len(paths) > FILES_MAX:
        raise ValueError(f"{folder} holds more than {FILES_MAX} files")
    for path in paths:
        header = _read(path)
        if isinstance(header, str):
            left_out.append(LeftOut(path, header))
            continue
        study = by_study[str(header.StudyInstanceUID)]
        if str(header.SOPInstanceUID) in study:
            left_out.append(LeftOut(path, "another file has its SOP Instance UID"))
        else:
            study[str(header.SOPInstanceUID)] = _File(path, header)
    studies: list[FoundStudy] = []
    for instances in by_study.values():
        files = list(instances.values())
        if (reason := _why_not(files)) is not None:
            left_out.append(LeftOut(files[0].path, reason))
        elif count_max is None or len(studies) < count_max:
            number = len(studies)
            paths_of = tuple(file.path for file in files)
            examination = _examination(files, seed, number)
            studies.append(FoundStudy(examination=examination, files=paths_of))
    return studies, left_out


def _read(path: Path) -> FileDataset | str:
    """The file's header, or why it cannot play."""
    try:
        header = dcmread(path, stop_before_pixels=True)
    except InvalidDicomError:
        return "it is no Part 10 file"
    missing = [keyword for keyword in _NEEDED if not header.get(keyword)]
    if missing:
        return f"it has no {missing[0]}"
    if any(not _OID.fullmatch(str(header[keyword].value)) for keyword in _UIDS):
        return "one of its UIDs is none"
    if header.SOPClassUID not in _STORABLE:
        return "its SOP class is none that a PACS stores"
    if header.file_meta.get("TransferSyntaxUID") not in ALL_TRANSFER_SYNTAXES:
        return "its transfer syntax is unknown"
    return header


def _why_not(files: list[_File]) -> str | None:
    if len({str(file.header.PatientID) for file in files}) > 1:
        return "its study has two patients"
    if len({_text(file, "AccessionNumber") for file in files} - {""}) > 1:
        return "its study has two accession numbers"
    if not any(str(file.header.SOPClassUID) in ADMISSIBLE for file in files):
        return "its study has no instance that a manifest may list"
    return None


def _examination(files: list[_File], seed: int, number: int) -> Examination:
    """The act that the files tell; what they leave out is made up."""
    first = files[0]
    modality = next((m for m in (_text(f, "Modality") for f in files) if m), "OT")
    made_up = make_examination(seed, number, "CT")
    started_at = made_up.started_at
    if date := re.fullmatch(r"\d{8}", _text(first, "StudyDate")):
        started_at = datetime.strptime(date[0], "%Y%m%d").replace(hour=8, tzinfo=TIME_ZONE)
    accessions = {_text(file, "AccessionNumber") for file in files} - {""}
    return replace(
        made_up,
        study_uid=str(first.header.StudyInstanceUID),
        patient=_patient(first, seed, number),
        modality=modality,
        description=_text(first, "StudyDescription") or f"Examen {modality}",
        accession=min(accessions, default=made_up.accession),
        started_at=started_at,
    )


def _patient(file: _File, seed: int, number: int) -> Patient:
    birth_date = re.fullmatch(r"\d{8}", _text(file, "PatientBirthDate"))
    made_up = make_patient(
        seed,
        number,
        birth_date=birth_date[0] if birth_date else None,
        sex=_text(file, "PatientSex") or None,
    )
    issuer = _text(file, "IssuerOfPatientID")
    return replace(
        made_up,
        local_id=_text(file, "PatientID"),
        local_id_issuer=issuer if _OID.fullmatch(issuer) else made_up.local_id_issuer,
    )


def _text(file: _File, keyword: str) -> str:
    return str(file.header.get(keyword) or "").strip()
