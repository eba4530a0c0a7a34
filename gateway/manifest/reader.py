"""Reads manifests, whoever wrote them: French, XDS-I.b and MADO key object documents.

`federation` asks where each series of a study can be had, and what it is. What is missing is
empty; what would make a viewer miss instances, or open another patient's, is an error.
"""

import io
from dataclasses import dataclass
from typing import Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.errors import InvalidRequest
from gateway.manifest import values
from gateway.manifest.description import SeriesWords, read_description
from gateway.manifest.elements import first, items, text
from gateway.manifest.image_library import InstanceWords, SeriesEntry, read_library
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.document import Identifier
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

SIZE_BYTES_MAX: Final = 8 * 2**20  # MADO takes some 600 bytes an instance, France 200
INSTANCES_MAX: Final = 20_000
ITEMS_MAX: Final = 200_000
"""Items of all sequences: a few bytes each in the file, a kilobyte each in memory."""
URL_LENGTH_MAX: Final = 2048  # characters

_PREAMBLE_BYTES = 128
_UNDEFINED_LENGTH = 0xFFFFFFFF
_ITEM_TAGS = b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"  # little and big endian, PS3.5 §7.5
# Deflated is left out: a few kilobytes of it can hold gigabytes.
_ENCODINGS: Final = {  # implicit VR, little endian
    ImplicitVRLittleEndian: (True, True),
    ExplicitVRLittleEndian: (False, True),
    ExplicitVRBigEndian: (False, False),
}
_OTHER_TITLES: Final = frozenset(
    {"113000", "113001", "113002", "113010", "113013", "113021", "113037", "113038", "113039"}
)
"""Titles of CID 7010 (PS3.16) under which a key object document is no manifest, but a selection of
key images or a rejection note. What is not known is read: codes of MADO still change."""


_READ: Final[list[BaseTag | int]] = [
    Tag(keyword)
    for keyword in (
        "SOPClassUID", "SOPInstanceUID", "StudyDate", "RetrieveURL", "PatientID",
        "IssuerOfPatientIDQualifiersSequence", "StudyInstanceUID", "ConceptNameCodeSequence",
        "TextValue", "CurrentRequestedProcedureEvidenceSequence", "ContentSequence",
    )
]  # fmt: skip
"""What is kept at the root, so that a million other elements cost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestInstance:
    """One instance that a manifest lists."""

    instance: Uid
    sop_class: Uid
    number: str
    """Instance Number, or empty."""
    frames: int | None
    """None where the manifest does not tell, as most do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSeries:
    """One series of a manifest. Texts are empty where it tells nothing."""

    series: Uid
    modality: str
    number: str
    description: str
    retrieve_url: str
    """Where the series can be had by WADO-RS (PS3.18 §10.4)."""
    location_uid: str
    ae_title: str
    instances: tuple[ManifestInstance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest tells of one study, its series in the order in which it lists them."""

    study: Uid
    sop_instance: Uid
    title: str
    """Code value of the document's title, such as 113030."""
    patient: Identifier
    """PatientID and the OID of its issuer: in France the INS."""
    study_date: str
    """YYYYMMDD, as the images tell it; empty where they do not."""
    series: tuple[ManifestSeries, ...]

    @property
    def modalities(self) -> tuple[str, ...]:
        """Each modality once, in alphabetical order, key objects aside."""
        return tuple(sorted({one.modality for one in self.series} - {"KO", ""}))

    @property
    def retrieve_urls(self) -> tuple[str, ...]:
        """Each Retrieve URL once, in the order of the series."""
        return tuple(dict.fromkeys(one.retrieve_url for one in self.series if one.retrieve_url))


def read_manifest(data: bytes) -> Manifest:
    """The manifest in a file (PS3.10).

    Raises:
        InvalidRequest: the bytes are no manifest, one that is cut off, or larger than
            SIZE_BYTES_MAX, INSTANCES_MAX or ITEMS_MAX allow.
    """
    try:
        return _manifest(_document(data))
    except InvalidRequest:
        raise
    except InvalidValue as error:
        raise InvalidRequest(f"an identifier in the manifest is {error}") from None
    except Exception:  # pydicom raises whatever its parts raise on bytes that are no data set
        # Its words may quote the patient, so they go no further.
        raise InvalidRequest("the manifest cannot be read") from None


def _document(data: bytes) -> Dataset:
    """The data set, with all its elements there; sequences are parsed when they are asked for."""
    if len(data) > SIZE_BYTES_MAX:
        raise InvalidRequest(f"the manifest is larger than {SIZE_BYTES_MAX} bytes")
    if data[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] != b"DICM":
        raise InvalidRequest("no DICOM file: its prefix is missing")
    if sum(data.count(tag) for tag in _ITEM_TAGS) > ITEMS_MAX:
        raise InvalidRequest(f"the manifest has more than {ITEMS_MAX} items")
    file = io.BytesIO(data)
    file.seek(_PREAMBLE_BYTES + 4)
    meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    encoding = _ENCODINGS.get(meta.get("TransferSyntaxUID"))
    if encoding is None:
        raise InvalidRequest("a manifest is not written in this transfer syntax")
    document = read_dataset(file, *encoding, specific_tags=_READ)
    if any(_cut_off(element) for element in document.elements()):
        raise InvalidRequest("the manifest is cut off")
    return document


def _cut_off(element: DataElement | RawDataElement) -> bool:
    """Whether the file ended within the element, which pydicom takes without a word."""
    if not isinstance(element, RawDataElement) or element.length == _UNDEFINED_LENGTH:
        return False
    return len(element.value or b"") < element.length


def _manifest(document: Dataset) -> Manifest:
    if text(document, "SOPClassUID") != KEY_OBJECTS:
        raise InvalidRequest("no manifest: not a key object selection document")
    title = first(document, "ConceptNameCodeSequence") or Dataset()
    if text(title, "CodeValue") in _OTHER_TITLES:
        raise InvalidRequest("no manifest: its title is that of a selection or a rejection note")
    # It comes after the evidence, so that its absence also tells of one that is cut off.
    if not items(document, "ContentSequence"):
        raise InvalidRequest("no manifest: it has no content")
    issuer = first(document, "IssuerOfPatientIDQualifiersSequence") or Dataset()
    return Manifest(
        study=Uid(text(document, "StudyInstanceUID")),
        sop_instance=Uid(text(document, "SOPInstanceUID")),
        title=text(title, "CodeValue"),
        patient=Identifier(
            value=text(document, "PatientID"), authority=text(issuer, "UniversalEntityID")
        ),
        study_date=values.date(text(document, "StudyDate")),
        series=_series(document),
    )


def _series(document: Dataset) -> tuple[ManifestSeries, ...]:
    evidence = items(document, "CurrentRequestedProcedureEvidenceSequence")
    study = Uid(text(document, "StudyInstanceUID"))
    if any(text(one, "StudyInstanceUID") != study for one in evidence):
        raise InvalidRequest("the manifest lists another study than its own")
    listed = [one for item in evidence for one in items(item, "ReferencedSeriesSequence")]
    count = sum(len(items(one, "ReferencedSOPSequence")) for one in listed)
    if count == 0:
        raise InvalidRequest("no manifest: it lists no instance")
    if count > INSTANCES_MAX:
        raise InvalidRequest(f"the manifest lists more than {INSTANCES_MAX} instances")
    words, library = _words(document), read_library(document)
    # The demonstrator's first manifests have the address at the study, too, or only there.
    above = next((url for one in (*evidence, document) if (url := _url(one))), "")
    return tuple(_one_series(one, study, above, words, library) for one in listed)


def _one_series(
    item: Dataset,
    study: Uid,
    above: str,
    words: dict[str, SeriesWords],
    library: dict[str, SeriesEntry],
) -> ManifestSeries:
    series = Uid(text(item, "SeriesInstanceUID"))
    told = words.get(series, SeriesWords(modality="", description=""))
    entry = library.get(series, SeriesEntry())
    instances = tuple(
        _instance(one, entry.instances) for one in items(item, "ReferencedSOPSequence")
    )
    only_key_objects = {one.sop_class for one in instances} == {KEY_OBJECTS}
    return ManifestSeries(
        series=series,
        modality=told.modality or entry.modality or ("KO" if only_key_objects else ""),
        number=values.integer_string(text(item, "SeriesNumber"))
        or values.integer_string(entry.number),
        description=told.description or entry.description,
        retrieve_url=_series_url(_url(item) or above, study, series),
        location_uid=text(item, "RetrieveLocationUID"),
        ae_title=text(item, "RetrieveAETitle"),
        instances=instances,
    )


def _instance(item: Dataset, told: dict[str, InstanceWords]) -> ManifestInstance:
    instance = Uid(text(item, "ReferencedSOPInstanceUID"))
    words = told.get(instance, InstanceWords())
    frames = values.integer_string(text(item, "NumberOfFrames")) or values.integer_string(
        words.frames
    )
    return ManifestInstance(
        instance=instance,
        sop_class=Uid(text(item, "ReferencedSOPClassUID")),
        number=values.integer_string(text(item, "InstanceNumber"))
        or values.integer_string(words.number),
        frames=int(frames) if frames and int(frames) > 0 else None,
    )


def _words(document: Dataset) -> dict[str, SeriesWords]:
    """What the description tells; early manifests have it at the root, outside the tree."""
    tree = [text(one, "TextValue") for one in items(document, "ContentSequence")]
    return read_description("\n".join([*tree, text(document, "TextValue")]))


def _url(item: Dataset) -> str:
    """The Retrieve URL, or empty where it is none that can be asked."""
    url = text(item, "RetrieveURL")
    asked = url.startswith(("http://", "https://")) and url.isascii() and url.isprintable()
    return url if asked and " " not in url and len(url) <= URL_LENGTH_MAX else ""


def _series_url(url: str, study: Uid, series: Uid) -> str:
    """The address of the series: MADO gives the service's, and others the study's."""
    if not url or "/series/" in url:
        return url
    base = url.rstrip("/")
    of_study = base if f"/studies/{study}" in base else f"{base}/studies/{study}"
    return f"{of_study}/series/{series}"
