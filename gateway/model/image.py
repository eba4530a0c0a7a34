"""What is known of one instance, whoever told it: its own header, the PACS or a notification."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from gateway.model.sop_classes import REJECTION_TITLES
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid

NOBODY = Identifier(value="")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePatient:
    """The patient as an image names them: the centre's own identity, not the national one."""

    local_id: Identifier
    """PatientID, with the OID of its issuer where one is named."""
    name: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDescription:
    """What a header (PS3.3) or the levels of a C-FIND answer (PS3.4 §C.6.2.1) tell of an instance.

    Texts are as the source wrote them, without padding; empty means that it told nothing.
    """

    series: Uid
    instance: Uid
    sop_class: Uid
    patient: ImagePatient
    accession: Identifier = NOBODY
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    study_id: str = ""
    referring_physician: str = ""
    modality: str = ""
    series_number: str = ""
    series_description: str = ""
    instance_number: str = ""
    frames: int | None = None
    rows: int | None = None
    columns: int | None = None
    bits_allocated: int | None = None
    title_code: str = ""
    """Code of a key object document's title (CID 7010): tells a rejection note from key images."""
    key_text: str = ""
    """Key Object Description of a document that came here; a PACS does not tell it."""
    selected: tuple[Uid, ...] = ()
    """The instances that such a document selects."""
    more: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What else is searched or listed, by DICOM keyword; the items of a sequence as a JSON list of
    such objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """Where the bytes of an instance lie here, and what they are."""

    key: str
    transfer_syntax: Uid
    size_bytes: int
    sha256: str
    """Of the data set as it was sent, in hex: tells a repeat from a correction. Empty of what was
    pulled, which is compared with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImage:
    """An instance of a study: what is told of it, by whom, and where it can be had."""

    header: ImageDescription | None = None
    """What its own header tells; None where its bytes never came here."""
    answer: ImageDescription | None = None
    """What a PACS tells; None where the last answer does not name it."""
    stored: StoredObject | None = None
    copied: ImageDescription | None = None
    """What the header of `stored` tells, where that was pulled from the PACS. It comes and goes
    with the copy, so it is no word about the image; but it must fit the report when it is given."""
    pacs: str = ""
    """AE title of the PACS that holds it; empty where none said so."""
    rejected: str = ""
    """Code of the rejection note that names it (CID 7011); empty where none does."""

    @property
    def is_rejection(self) -> bool:
        """It is a rejection note itself, which shows nothing."""
        return self.description.title_code in REJECTION_TITLES

    @property
    def told(self) -> tuple[ImageDescription, ...]:
        """Each description that there is: all of them must name the same patient."""
        return tuple(one for one in (self.answer, self.header) if one is not None)

    @property
    def description(self) -> ImageDescription:
        """Field by field what the PACS tells, for it corrects later, else what the header does."""
        if self.answer is None or self.header is None:
            return self.told[0]
        empty = ("", None, NOBODY, ())
        known = {
            one.name: getattr(self.header, one.name)
            for one in fields(self.answer)
            if getattr(self.answer, one.name) in empty
        }
        known["more"] = {**self.header.more, **self.answer.more}
        return replace(self.answer, **known)
