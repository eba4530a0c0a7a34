"""A professional declares that they may open a record, or takes that back: the DMP's TD0.3.

The names are those of the service description *Habilitations* of GIE SESAM-Vitale.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lxml import etree

from indexer.contract.errors import InvalidValue
from indexer.wire.xml import Element

HABILITATIONS: Final = "urn:si-dmp-habilitations"
DECLARE_ACTION: Final = f"{HABILITATIONS}:HabilitationsEndPoint:setAuthorization"
DONE: Final = "DMPOk"

_TREATING_DOCTOR: Final = "MEDECIN_TRAITANT"


class Action(StrEnum):
    """What becomes of an authorisation (actionType)."""

    ADD = "AJOUT"
    REMOVE = "SUPPRESSION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """That the patient was informed and does not oppose, or that one takes no part any more."""

    action: Action
    treating_doctor: bool
    """It is about being the treating doctor (roleType)."""


def read_declaration(body: Element) -> Declaration:
    """The declaration of a message; whose record it is for, its VIHF says.

    Raises:
        InvalidValue: it is none.
    """
    if body.tag != _name("setAuthorization"):
        raise InvalidValue("the body is no setAuthorization")
    action = (body.findtext(_name("action")) or "").strip()
    role = (body.findtext(_name("role")) or "").strip()
    if action not in set(Action):
        raise InvalidValue(f"the action is none of {', '.join(Action)}")
    if role not in ("", _TREATING_DOCTOR):
        raise InvalidValue(f"the role is not {_TREATING_DOCTOR}")
    return Declaration(action=Action(action), treating_doctor=bool(role))


def declaration_response(status: str, context: str = "") -> Element:
    """What became of it; `context` names nobody."""
    response = etree.Element(_name("setAuthorizationResponse"), nsmap={"ns1": HABILITATIONS})
    output = etree.SubElement(response, _name("output"))
    etree.SubElement(output, _name("status")).text = status
    etree.SubElement(output, _name("context")).text = context
    return response


def _name(tag: str) -> str:
    return f"{{{HABILITATIONS}}}{tag}"
