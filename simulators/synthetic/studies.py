"""Valid synthetic studies: what a modality makes of an examination, instance by instance.

Every transfer syntax that a small centre's PACS is likely to hold is there: implicit and explicit
little endian, and Run Length Encoding with one frame and with many.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    NuclearMedicineImageStorage,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
    XRayAngiographicImageStorage,
)

from simulators.synthetic import images
from simulators.synthetic.examination import Examination
from simulators.synthetic.identity import CENTRE, REFERRER
from simulators.synthetic.uids import uid_of

_LATIN_1, _UTF_8 = "ISO_IR 100", "ISO_IR 192"


def build_instances(examination: Examination) -> Iterator[Dataset]:
    """The instances that a modality makes, each with its file meta information.

    Raises:
        KeyError: the centre has no such modality.
    """
    makers = {"CT": _ct, "MR": _mr, "CR": _cr, "US": _us, "MG": _mg, "NM": _nm, "XA": _xa}
    for ds, transfer_syntax in makers[examination.modality](examination):
        ds.file_meta = FileMetaDataset()
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.file_meta.TransferSyntaxUID = (
            ExplicitVRLittleEndian if transfer_syntax == RLELossless else transfer_syntax
        )
        if transfer_syntax == RLELossless:
            ds.compress(RLELossless, generate_instance_uid=False)
        yield ds


def save_study(examination: Examination, folder: Path) -> tuple[Path, ...]:
    """Write the examination's instances as Part 10 files into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, ds in enumerate(build_instances(examination), start=1):
        path = folder / f"{number:04}.dcm"
        ds.save_as(path, enforce_file_format=True)
        files.append(path)
    return tuple(files)


_Made = Iterator[tuple[Dataset, UID]]


def _ct(examination: Examination) -> _Made:
    slices = 5
    windows = ((1, "Médiastin", 40, 400), (2, "Parenchyme", -600, 1500))
    for series, description, centre, width in windows:
        syntax = ExplicitVRLittleEndian if series == 1 else ImplicitVRLittleEndian
        for index in range(slices):
            ds = _base(examination, CTImageStorage, series, index + 1, description)
            images.make_ct(ds, index, slices)
            ds.WindowCenter, ds.WindowWidth = centre, width
            yield ds, syntax


def _mr(examination: Examination) -> _Made:
    slices = 6
    for index in range(slices):
        ds = _base(examination, MRImageStorage, 1, index + 1, "T1 axiale")
        images.make_mr(ds, index, slices)
        yield ds, RLELossless


def _cr(examination: Examination) -> _Made:
    for number, lateral in enumerate((False, True), start=1):
        description = "Thorax de profil" if lateral else "Thorax de face"
        ds = _base(examination, ComputedRadiographyImageStorage, number, 1, description)
        images.make_cr(ds, lateral=lateral)
        yield ds, ImplicitVRLittleEndian


def _us(examination: Examination) -> _Made:
    for number in (1, 2):
        ds = _base(
            examination, UltrasoundMultiFrameImageStorage, 1, number, "Foie, coupe sagittale"
        )
        images.make_us(ds)
        yield ds, RLELossless


def _mg(examination: Examination) -> _Made:
    views = ((1, "L", False), (2, "R", False), (3, "L", True), (4, "R", True))
    for number, side, oblique in views:
        ds = _base(
            examination,
            DigitalMammographyXRayImageStorageForPresentation,
            number,
            1,
            f"{side} {'MLO' if oblique else 'CC'}",
        )
        images.make_mg(ds, left=side == "L", oblique=oblique)
        yield ds, ExplicitVRLittleEndian


def _nm(examination: Examination) -> _Made:
    for number in (1, 2):
        ds = _base(examination, NuclearMedicineImageStorage, 1, number, "Thyroïde, face")
        images.make_nm(ds)
        yield ds, ExplicitVRLittleEndian


def _xa(examination: Examination) -> _Made:
    for number, lateral in enumerate((False, True), start=1):
        ds = _base(examination, XRayAngiographicImageStorage, number, 1, "Coronaire gauche")
        images.make_xa(ds, lateral=lateral)
        yield ds, ImplicitVRLittleEndian


def _base(
    examination: Examination, sop_class: str, series: int, number: int, description: str
) -> Dataset:
    """The modules that all images share: patient, study, series, equipment, SOP common."""
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = uid_of(examination.study_uid, series, number)
    _put_patient(ds, examination)
    ds.StudyInstanceUID = examination.study_uid
    ds.StudyID = examination.study_id
    ds.AccessionNumber = examination.accession
    ds.StudyDescription = examination.description
    ds.ReferringPhysicianName = f"{REFERRER.family}^{REFERRER.given}^^DR"
    _put_times(ds, examination, series, number)
    ds.Modality = examination.modality
    ds.SeriesInstanceUID = uid_of(examination.study_uid, series)
    ds.SeriesNumber = series
    ds.SeriesDescription = description
    ds.InstanceNumber = number
    ds.Manufacturer = "Synthetic"
    ds.ManufacturerModelName = "Drawn by numbers"
    ds.DeviceSerialNumber = "1"
    ds.SoftwareVersions = "1"
    ds.InstitutionName = CENTRE.name
    ds.StationName = f"SALLE-{examination.modality}"
    ds.BurnedInAnnotation = "NO"
    return ds


def _put_patient(ds: Dataset, examination: Examination) -> None:
    patient = examination.patient
    name = patient.dicom_name
    ds.SpecificCharacterSet = _LATIN_1 if _is_latin_1(name) else _UTF_8
    ds.PatientName = name
    ds.PatientID = patient.local_id
    ds.IssuerOfPatientID = patient.local_id_issuer
    ds.PatientBirthDate = patient.birth_date
    ds.PatientSex = patient.sex


def _is_latin_1(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _put_times(ds: Dataset, examination: Examination, series: int, number: int) -> None:
    """Local times and no time zone, as most modalities write them."""
    began = examination.started_at
    made = began + timedelta(minutes=series, seconds=number)
    ds.StudyDate, ds.StudyTime = f"{began:%Y%m%d}", f"{began:%H%M%S}"
    for prefix in ("Series", "Acquisition", "Content"):
        setattr(ds, f"{prefix}Date", f"{made:%Y%m%d}")
        setattr(ds, f"{prefix}Time", f"{made:%H%M%S}")
