"""What a manifest says of one study, whatever form it is written in.

`compose` makes it from what is published, the writers write it, and the reader gives it back. No
form holds all of it: what each leaves out is said where it is written.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from indexer.contract.document import Code, Identifier, Organisation
from indexer.contract.identifiers import Uid

NOTHING = Identifier(value="")
NOBODY = Organisation(number="")


class ManifestForm(StrEnum):
    """How a manifest is written."""

    FRENCH = "french"
    XDS_I = "xds-i"
    MADO = "mado"
    MADO_FHIR = "mado-fhir"


class MadoCodes(StrEnum):
    """Scheme of the concepts that MADO brought: for its trial, or as CP-2595 has them in DICOM."""

    TRIAL = "99IHE"
    FINAL = "DCM"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPatient:
    """The patient. Names are DICOM person names of two parts, family and given (PS3.5 §6.2)."""

    ids: tuple[Identifier, ...] = ()
    """The one that the manifest goes by, in France the INS, then others."""
    name: str = ""
    other_names: tuple[str, ...] = ()
    birth_date: str = ""
    """YYYYMMDD."""
    sex: str = ""
    """M, F or O."""
    birth_place: str = ""
    """Official geographic code (COG)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An accession number with the order that it answers; either may be missing."""

    accession: Identifier = NOTHING
    order: Identifier = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a key object document says, as far as it is known."""

    title: Code | None = None
    """Of CID 7010 (PS3.16), such as 113000, Of Interest."""
    text: str = ""
    instances: tuple[Uid, ...] = ()
    """What it selects. Only French manifests tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestInstance:
    """One instance that a manifest lists."""

    instance: Uid
    sop_class: Uid
    number: str = ""
    """Instance Number, or empty."""
    frames: int | None = None
    """At least 1; None where the manifest does not tell, as most do not."""
    selection: Selection | None = None
    """Of a key object document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSeries:
    """One series of a manifest. Texts are empty where it tells nothing."""

    series: Uid
    modality: str = ""
    number: str = ""
    description: str = ""
    date: str = ""
    time: str = ""
    region: Code | None = None
    retrieve_url: str = ""
    """Where the series can be had by WADO-RS (PS3.18 §10.4)."""
    location_uid: str = ""
    """Names the gateway that holds the series, where its address may have changed."""
    instances: tuple[ManifestInstance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest tells of one study, its series in the order in which it lists them.

    Dates and times are those on the wall of the centre, as DA and TM (PS3.5 §6.2).
    """

    identifier: str
    """SOP Instance UID, also of a FHIR form; those of others may go by what is no UID."""
    study: Uid
    patient: ManifestPatient
    study_date: str = ""
    study_time: str = ""
    description: str = ""
    study_id: str = ""
    referring_physician: str = ""
    """A person name as the images have it."""
    requests: tuple[Request, ...] = ()
    acts: tuple[Code, ...] = ()
    regions: tuple[Code, ...] = ()
    series: tuple[ManifestSeries, ...]
    made_at: datetime | None = None
    """In whole seconds; its offset is that of every time in the manifest. None: it does not tell,
    as some of others do not."""
    organisation: Organisation = NOBODY
    """The centre that made it."""
    manufacturer: str = ""
    display_uri: str = ""
    """Where the study can be looked at."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """Each modality once, in alphabetical order, key objects aside."""
        return tuple(sorted({one.modality for one in self.series} - {"KO", ""}))

    @property
    def retrieve_urls(self) -> tuple[str, ...]:
        """Each Retrieve URL once, in the order of the series."""
        return tuple(dict.fromkeys(one.retrieve_url for one in self.series if one.retrieve_url))


def service_url(series_url: str, study: Uid, series: Uid) -> str:
    """The WADO-RS service that a series' address belongs to, which MADO names."""
    return series_url.removesuffix(f"/studies/{study}/series/{series}")
