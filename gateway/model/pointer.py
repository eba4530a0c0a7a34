"""What a pointer says, before it is written as a manifest and an index entry.

A pointer is published again exactly when this value changes, so it holds no build time, no UID
made for the occasion, and nothing that depends on the order in which news came.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime

from gateway.model.image import ImageDescription
from gateway.model.report import ReportedPatient, Visibility
from indexer.contract.document import Code, Identifier, Organisation, Person
from indexer.contract.identifiers import Ins, Uid

FINGERPRINT_FORM = "1"
"""Changes with the meaning of what is hashed. A new field with an empty default changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedInstance:
    """One instance of the manifest."""

    instance: Uid
    sop_class: Uid
    number: str = ""
    frames: int | None = None
    title_code: str = ""
    """Of a key object document: the code of its title (CID 7010)."""
    key_text: str = ""
    """What it says of the instances that it selects."""
    selected: tuple[Uid, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSeries:
    """One series of the manifest, its instances in the order of their numbers."""

    series: Uid
    modality: str
    number: str = ""
    description: str = ""
    instances: tuple[ListedInstance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PointerContent:
    """Everything that the manifest and its index entry are made from."""

    study: Uid
    ins: Ins
    patient: ReportedPatient
    local_id: Identifier
    """The patient in the centre, as the report names them."""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    study_id: str = ""
    referring_physician: str = ""
    accessions: tuple[Identifier, ...]
    orders: tuple[Identifier, ...]
    series: tuple[ListedSeries, ...]
    acts: tuple[Code, ...]
    regions: tuple[Code, ...]
    visibility: frozenset[Visibility]
    started_at: datetime | None
    ended_at: datetime | None
    report_id: str
    author: Person
    legal_authenticator: Person | None
    organisation: Organisation
    facility: Code
    practice_setting: Code

    @property
    def modalities(self) -> tuple[str, ...]:
        """Each modality once, in alphabetical order, key objects aside."""
        return tuple(sorted({one.modality for one in self.series} - {"KO", ""}))

    def fingerprint(self) -> str:
        """SHA-256 in hex that two contents share exactly when they say the same."""
        text = json.dumps(_canonical(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(f"{FINGERPRINT_FORM}:{text}".encode()).hexdigest()


def listed_series(images: Iterable[ImageDescription]) -> tuple[ListedSeries, ...]:
    """The images by series, each in the order of its number, then of its UID."""
    by_series: dict[Uid, list[ImageDescription]] = {}
    for image in images:
        by_series.setdefault(image.series, []).append(image)
    listed = [_series(uid, members) for uid, members in by_series.items()]
    return tuple(sorted(listed, key=lambda one: (_rank(one.number), one.series)))


def _series(uid: Uid, members: list[ImageDescription]) -> ListedSeries:
    members.sort(key=lambda image: (_rank(image.instance_number), image.instance))
    first = members[0]
    return ListedSeries(
        series=uid,
        modality=first.modality,
        number=first.series_number,
        description=first.series_description,
        instances=tuple(
            ListedInstance(
                instance=image.instance,
                sop_class=image.sop_class,
                number=image.instance_number,
                frames=image.frames,
                title_code=image.title_code,
                key_text=image.key_text,
                selected=image.selected,
            )
            for image in members
        ),
    )


def _rank(number: str) -> tuple[int, str]:
    """Order of an IS value; what is no number comes last."""
    try:
        return int(number), ""
    except ValueError:
        return 2**31, number


def _canonical(value: object) -> object:
    """The value as JSON can hold it, with empty fields left out and sets in order."""
    if is_dataclass(value):
        told = {field.name: _canonical(getattr(value, field.name)) for field in fields(value)}
        return {name: one for name, one in told.items() if one not in (None, "", [], {})}
    if isinstance(value, frozenset):
        return sorted(str(one) for one in value)
    if isinstance(value, tuple):
        return [_canonical(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value
