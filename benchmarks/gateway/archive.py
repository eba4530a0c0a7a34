"""An archive of many small studies, to be searched: in our rows, in bulk, or as files for a peer.

Four studies a patient, of one instance each; the same number always gives the same. Nobody in
them is real.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from gateway.catalogue.header import describe, read_texts
from gateway.catalogue.members import texts_of
from gateway.catalogue.pairing import SQLITE_FILE
from gateway.catalogue.searched_rows import (
    join_values,
    name_rows,
    patient_id_rows,
    request_rows,
    series_row,
    study_row,
)
from gateway.storage.database import LongWork, Row, Transaction
from gateway.storage.migrations import migrate
from gateway.storage.records import encode
from gateway.storage.sqlite import SqliteDatabase
from indexer.contract.identifiers import Uid

STUDIES_OF: Final = 4
"""Studies of one patient."""
_ROOT: Final = "1.2.250.1.999.9"
_CT: Final = "1.2.840.10008.5.1.4.1.1.2"
_AT_ONCE: Final = 5000  # studies in one transaction
_NAMES: Final = ("MARTIN", "BERNARD", "DUBOIS", "DE LA TOUR", "LEFÈVRE", "LEBŒUF", "D'ARTAGNAN")


def patient_of(number: int) -> str:
    """PatientID of a study."""
    return f"P{number // STUDIES_OF:07}"


def build(number: int) -> Dataset:
    """The one instance of a study, without pixels."""
    patient = number // STUDIES_OF
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = _CT
    ds.StudyInstanceUID = f"{_ROOT}.{number + 1}"
    ds.SeriesInstanceUID = f"{ds.StudyInstanceUID}.1"
    ds.SOPInstanceUID = f"{ds.StudyInstanceUID}.1.1"
    ds.PatientID = patient_of(number)
    ds.PatientName = f"{_NAMES[patient % len(_NAMES)]}^{patient:07}"
    ds.PatientBirthDate = f"{1930 + patient % 90}{1 + patient % 12:02}{1 + patient % 28:02}"
    ds.PatientSex = "MF"[patient % 2]
    ds.AccessionNumber = f"A{number:08}"
    ds.StudyDate = f"{2010 + number % 16}{1 + number // 16 % 12:02}{1 + number // 192 % 28:02}"
    ds.StudyTime = f"{number % 24:02}{number // 24 % 60:02}00"
    ds.StudyID = str(number)
    ds.StudyDescription = "Scanner du crâne"
    ds.ReferringPhysicianName = f"{_NAMES[number % len(_NAMES)]}^CAMILLE"
    ds.Modality = "CT"
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.SeriesDescription = "Axial"
    ds.Rows = ds.Columns = 512
    ds.BitsAllocated = 16
    return ds


def save(folder: Path, studies: int) -> list[Path]:
    """The instances in files."""
    folder.mkdir(parents=True)
    return [_save(folder, number) for number in range(studies)]


def _save(folder: Path, number: int) -> Path:
    ds = build(number)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{number:07}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


async def fill(data_dir: Path, studies: int) -> None:
    """Make the rows of a gateway that holds them; it must not run meanwhile.

    Args:
        data_dir: its folder, which is there.
    """
    database = await SqliteDatabase.open(data_dir / SQLITE_FILE)
    try:
        await migrate(database, "gateway.migrations")
        for first in range(0, studies, _AT_ONCE):
            rows = _rows(range(first, min(first + _AT_ONCE, studies)))
            await database.write(LongWork(partial(_add, rows=rows)))
    finally:
        await database.close()


async def _add(tx: Transaction, rows: dict[str, list[Row]]) -> None:
    for table, of_table in rows.items():
        await tx.add(table, of_table)


def _rows(numbers: range) -> dict[str, list[Row]]:
    """By table."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for number in numbers:
        for table, of_table in _rows_of(number):
            rows[table] += of_table
    return rows


def _rows_of(number: int) -> Iterator[tuple[str, list[Row]]]:
    ds = build(number)
    study, image = Uid(ds.StudyInstanceUID), describe(read_texts(ds))
    texts, classes = texts_of(image), join_values([image.sop_class])
    yield "studies", [{"study_uid": study, "news": 1, "state": "published", "since_ms": 0}]
    instance: Row = {
        "study_uid": study,
        "series_uid": image.series,
        "instance_uid": image.instance,
        "patient_id": image.patient.local_id.value,
        "accession": image.accession.value,
        "header": encode(image),
        "answer": encode(image),
        "pacs": "PACS",
        "sop_class": image.sop_class,
        "instance_number": 1,
    }
    yield "instances", [instance]
    counts: Row = {"instances": 1, "stored": 0, "sop_classes": classes}
    yield "searched_series", [{**series_row(study, texts), **counts}]
    lists: Row = {"modalities": join_values([image.modality]), "sop_classes": classes}
    yield "searched_studies", [{**study_row(study, texts), **lists}]
    yield "searched_names", name_rows(study, texts)
    yield "searched_patient_ids", patient_id_rows(study, texts)
    yield "searched_requests", request_rows(study, texts)
