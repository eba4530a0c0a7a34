"""Reads orders from ORM^O01 and OMI^O23, and the word that an exam has changed, which some PACS and
RIS send as an OMI.

Ids in OBR-2, OBR-3 and, in an OMI, OBR-18 are not read: senders repeat constants there. An order is
known by ORC; an exam by IPC, or in an ORM by OBR-18 and ZDS (IHE RAD TF-2 §4.4, RAD-4).
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import Message, Segment, Segments
from gateway.intake.cda import DICOM_CODES, PROFESSIONALS, REGIONS, SNOMED_CT
from gateway.intake.fields import entity, missing, only, time_or_none, value
from gateway.intake.pid import identity_status, read_patient
from gateway.intake.values import distinct, oid_or_empty
from gateway.model.order import Order
from indexer.contract.document import Code, Identifier, Person
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

EXAM_CHANGED: Final = frozenset({"modification examen imagerie", "examen supprime"})
"""What an OBX says of an exam that is not what it was: the profile's words, and those of the
agency's deleted exam; without accents, in lower case."""

CODE_SYSTEMS: Final = {
    "LN": "2.16.840.1.113883.6.1",
    "SCT": SNOMED_CT,
    "DCM": DICOM_CODES,
    "CCAM": "1.2.250.1.215.300.1",
}
"""OIDs by name in HL7 table 0396; the list of a centre's own has none, and no reader elsewhere."""

REPORT_TYPE: Final = "18748-4"
"""LOINC of an imaging report: a kind of document, which samples name in place of an act."""

_NATIONAL_NUMBER = re.compile(r"8\d{11}", re.ASCII)  # RPPS with its type's digit


def read_orders(message: Message, *, time_zone: ZoneInfo) -> list[Order]:
    """The orders that the message brings, one for each pair of numbers and action in its ORC: an
    order of several acts repeats them.

    Args:
        time_zone: of the times that name no offset.

    Raises:
        InvalidRequest: its content cannot be taken.
    """
    pid = only(message, "PID")
    groups = message.groups("ORC")
    if not groups:
        raise RefusedMessage(
            "the message has no ORC", code=ErrorCode.SEGMENT_SEQUENCE, location="ORC^1"
        )
    orders: dict[tuple[str, Identifier, Identifier], Order] = {}
    for group in groups:
        order = _order(message, pid, group, time_zone)
        key = (order.control, order.placer, order.filler)
        orders[key] = _merged(orders[key], order) if key in orders else order
    several = distinct(orders.values(), "orders")
    for order in several:
        if not (order.placer.value or order.filler.value or order.accessions or order.studies):
            raise missing("an order names no number, accession number or study", "ORC^1^2")
    return several


def _order(message: Message, pid: Segment, group: Segments, time_zone: ZoneInfo) -> Order:
    orc = group.first
    control = value(orc, 1)
    if not control:
        raise missing("ORC-1 does not say what is to be done", orc.at(1))
    acts, regions = _acts_and_regions(group)
    return Order(
        placer=entity(orc, 2),
        filler=entity(orc, 3),
        control=control,
        accessions=_accessions(group, with_obr=message.msh.text(9) == "ORM"),
        studies=_studies(group),
        exam_changed=any(map(_tells_of_change, group.segments("OBX"))),
        ordered_at=time_or_none(orc, 9, time_zone) or time_or_none(orc, 15, time_zone),
        said_at=time_or_none(message.msh, 7, time_zone),
        identity_status=identity_status(pid),
        patient=read_patient(pid),
        acts=acts,
        regions=regions,
        author=_interpreter(group),
    )


def _merged(one: Order, other: Order) -> Order:
    return replace(
        one,
        accessions=tuple(distinct([*one.accessions, *other.accessions], "accession numbers")),
        studies=tuple(distinct([*one.studies, *other.studies], "studies")),
        exam_changed=one.exam_changed or other.exam_changed,
        ordered_at=one.ordered_at or other.ordered_at,
        acts=tuple(distinct([*one.acts, *other.acts], "acts")),
        regions=tuple(distinct([*one.regions, *other.regions], "regions")),
        author=one.author or other.author,
    )


def _accessions(group: Segments, *, with_obr: bool) -> tuple[Identifier, ...]:
    """IPC-1; in an ORM, which has no IPC, OBR-18 (IHE RAD-4)."""
    found = [entity(ipc, 1) for ipc in group.segments("IPC")]
    if with_obr:
        found += [entity(obr, 18) for obr in group.segments("OBR")]
    return tuple(distinct((one for one in found if one.value), "accession numbers"))


def _studies(group: Segments) -> tuple[Uid, ...]:
    named = [(ipc, 3) for ipc in group.segments("IPC")]
    named += [(zds, 1) for zds in group.segments("ZDS")]
    return tuple(distinct(_uids(named), "studies"))


def _uids(named: list[tuple[Segment, int]]) -> Iterator[Uid]:
    for segment, field in named:
        if text := value(segment, field):
            try:
                yield Uid(text)
            except InvalidValue:
                raise RefusedMessage(
                    f"{segment.name}-{field} is no Study Instance UID",
                    code=ErrorCode.DATA_TYPE,
                    location=segment.at(field),
                ) from None


def _tells_of_change(obx: Segment) -> bool:
    """Its words stand in OBX-3, as code or as label, and OBX-5 is empty."""
    return any(_plain(value(obx, 3, part)) in EXAM_CHANGED for part in (1, 2))


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    return "".join(one for one in letters if not unicodedata.combining(one)).casefold()


def _acts_and_regions(group: Segments) -> tuple[tuple[Code, ...], tuple[Code, ...]]:
    """What is to be done, and where on the body, by codes that can be read elsewhere: OBR-4 and
    OBR-44, each with its alternative."""
    places = [
        (obr, field, first)
        for obr in group.segments("OBR")
        for field in (4, 44)
        for first in (1, 4)
    ]
    codes = [code for place in places if (code := _code(*place)) is not None]
    acts = distinct((one for one in codes if one.code not in REGIONS), "acts")
    regions = distinct((one for one in codes if one.code in REGIONS), "regions")
    return tuple(acts), tuple(regions)


def _code(segment: Segment, field: int, first: int) -> Code | None:
    code, display, system = (value(segment, field, first + part) for part in range(3))
    scheme = CODE_SYSTEMS.get(system.upper()) or oid_or_empty(system)
    if not code or not scheme or code == REPORT_TYPE:
        return None
    return Code(code=code, scheme=scheme, display=display)


def _interpreter(group: Segments) -> Person | None:
    """Who is to interpret the images (OBR-32), if it names them by their national number, and if
    it is not who prescribed (OBR-16): some senders write the same person in both."""
    for obr in group.segments("OBR"):
        number, family, given = (value(obr, 32, 1, part) for part in (1, 2, 3))
        authority = oid_or_empty(value(obr, 32, 1, 10))
        if authority not in ("", PROFESSIONALS) or not _NATIONAL_NUMBER.fullmatch(number):
            continue
        if number != value(obr, 16):
            return Person(number=number, family=family, given=given)
    return None
