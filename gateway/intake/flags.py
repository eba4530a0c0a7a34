"""Reads what the OBX beside a document ask for: who must not see it, and may the DMP have it."""

from dataclasses import dataclass
from typing import Final

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import Message, Segment
from gateway.intake.fields import value
from gateway.intake.values import distinct, flag_name
from gateway.model.report import Visibility

FLAG_SYSTEM: Final = "METADMPMSS"
VISIBILITY_FLAGS: Final = {
    "MASQUE_PS": Visibility.HIDDEN_FROM_PROFESSIONALS,
    "INVISIBLE_PATIENT": Visibility.HIDDEN_FROM_PATIENT,
    "INVISIBLE_REP_LEGAUX": Visibility.HIDDEN_FROM_GUARDIANS,
    # The index's own word for it, and the misspelling of the profile's first edition.
    "INVISIBLE_REPRESENTANTS_LEGAUX": Visibility.HIDDEN_FROM_GUARDIANS,
    "INVISIBLE_REPRENSANTS_LEGAUX": Visibility.HIDDEN_FROM_GUARDIANS,
}
DMP_FLAG: Final = "DESTDMP"
HARMLESS_FLAGS: Final = frozenset(
    "CONNEXION_SECRETE MODIF_CONF_CODE MODIF_CONFIDENTIALITYCODE DESTMSSANTEPS DESTMSSANTEPAT"
    " ACK_RECEPTION ACK_LECTURE_MSS".split()
)
"""They ask for mail and receipts, or repeat that a visibility changed: nothing for a pointer."""
HARMLESS_PREFIX: Final = "CORPSMAIL_"

_PRESENT = {"Y": True, "N": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What they ask for, by the names that `Report` has for it."""

    visibility: frozenset[Visibility]
    unknown: tuple[str, ...]
    for_dmp: bool


def read_flags(message: Message) -> Flags:
    """The flags of a message, found by code: order and labels vary.

    Raises:
        InvalidRequest: one is neither Y nor N, or there are too many.
    """
    visibility: set[Visibility] = set()
    unknown: list[str] = []
    for_dmp = True
    for obx in message.segments("OBX"):
        flag = value(obx, 3).upper()
        known = flag == DMP_FLAG or flag in VISIBILITY_FLAGS
        if not known and value(obx, 3, 3).upper() != FLAG_SYSTEM:
            continue  # the document, or a finding of no concern here
        if flag in HARMLESS_FLAGS or flag.startswith(HARMLESS_PREFIX):
            continue
        present = _answer(obx)
        if flag == DMP_FLAG:
            for_dmp = for_dmp and present
        elif present and flag in VISIBILITY_FLAGS:
            visibility.add(VISIBILITY_FLAGS[flag])
        elif present:
            unknown.append(flag_name(flag))
    return Flags(
        visibility=frozenset(visibility), unknown=tuple(distinct(unknown, "flags")), for_dmp=for_dmp
    )


def _answer(obx: Segment) -> bool:
    """OBX-5: Y or N (HL7 table 0136). Anything else could hide what was meant to be hidden."""
    present = _PRESENT.get(value(obx, 5).upper())
    if present is None:
        raise RefusedMessage(
            "the flag is neither Y nor N",
            code=ErrorCode.TABLE_VALUE_NOT_FOUND,
            location=obx.at(5),
        )
    return present
