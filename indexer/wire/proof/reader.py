"""Reads a VIHF out of an assertion whose signature holds, and out of nothing else.

What it tells is understood whole or refused. Whether it is to be believed is not decided here.
"""

import re
from datetime import datetime
from typing import Final

from indexer.contract.access import Authentication, Caller, CallerKind, Purpose, Software
from indexer.contract.document import Code, Organisation, Person
from indexer.contract.errors import InvalidValue
from indexer.wire import hl7_values as values
from indexer.wire.fhir.elements import read_moment
from indexer.wire.proof import vocabulary as names
from indexer.wire.proof.vihf import Conditions, Vihf, expect_complete
from indexer.wire.xml import Element

TEXT_LENGTH_MAX: Final = 1024  # characters of one value, such as the reason for an emergency
CODE_LENGTH_MAX: Final = 64

_SAML: Final = {"saml2": names.SAML}
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_SECTOR = re.compile(r"SA[0-9]{2}", re.ASCII)


def read_vihf(assertion: Element) -> Vihf:
    """What an assertion tells.

    Raises:
        InvalidValue: it is none, or something is missing or is told that is not known.
    """
    if assertion.tag != _saml("Assertion") or assertion.get("Version") != "2.0":
        raise InvalidValue("this is no assertion of SAML 2.0")
    assertion_id = assertion.get("ID", "")
    if not _ID.fullmatch(assertion_id):
        raise InvalidValue("the assertion has no ID that can be compared")
    told = _Attributes(_only(assertion, "AttributeStatement"))
    if told.text(names.VIHF_VERSION) not in names.VERSIONS:
        raise InvalidValue("the version of the VIHF is not known")
    if told.text(names.RESOURCE_URN) != names.RESOURCE:
        raise InvalidValue("the assertion is for something else than the DMP")
    name_id = _text(_only(_only(assertion, "Subject"), "NameID"), "NameID")
    caller = _read_caller(told, name_id)
    expect_complete(caller)
    return Vihf(
        assertion_id=assertion_id,
        issuer=_text(_only(assertion, "Issuer"), "Issuer"),
        issued_at=read_moment(assertion.get("IssueInstant", "")),
        caller=caller,
        software=Software(
            number=told.text_or_empty(names.SOFTWARE_NUMBER),
            name=told.text(names.SOFTWARE_NAME),
            version=told.text(names.SOFTWARE_VERSION),
            approval=told.text(names.SOFTWARE_APPROVAL),
        ),
        conditions=_read_conditions(assertion),
    )


class _Attributes:
    """The attributes of an assertion, each told once."""

    def __init__(self, statement: Element) -> None:
        self._values: dict[str, list[Element]] = {}
        for one in statement.iterfind("saml2:Attribute", _SAML):
            name = names.SPELLINGS.get(one.get("Name", ""), one.get("Name", ""))
            if name in self._values:
                raise InvalidValue("an attribute is told twice")
            self._values[name] = one.findall("saml2:AttributeValue", _SAML)

    def text(self, name: str) -> str:
        """The text of an attribute that must have one value."""
        found = self._values.get(name, [])
        if len(found) != 1:
            raise InvalidValue(f"{name} is missing, or has several values")
        return _text(found[0], name)

    def text_or_empty(self, name: str) -> str:
        return self.text(name) if name in self._values else ""

    def codes(self, name: str, tag: str) -> list[Element]:
        """The coded values of an attribute."""
        found = [one.findall(_hl7(tag)) for one in self._values.get(name, [])]
        if any(len(one) != 1 for one in found):
            raise InvalidValue(f"{name} is no code")
        return [one for [one] in found]


def _read_caller(told: _Attributes, name_id: str) -> Caller:
    roles = [_read_code(one) for one in told.codes(names.ROLE, "Role")]
    if not roles:
        raise InvalidValue("the assertion tells no role")
    kind = _kind(roles[0])
    purpose, reason = _read_purpose(told)
    sector = told.text_or_empty(names.SECTOR)
    is_professional = kind in (CallerKind.PROFESSIONAL, CallerKind.SYSTEM)
    return Caller(
        kind=kind,
        person=_read_person(kind, name_id if is_professional else "", told.text(names.SUBJECT_ID)),
        organisation=Organisation(number=told.text(names.STRUCTURE)),
        patient=values.read_patient(told.text(names.RESOURCE_ID)),
        role=roles[0],
        speciality=roles[1] if len(roles) > 1 else None,
        sector=_read_sector(sector) if sector else None,
        purpose=purpose,
        reason=reason,
        authentication=_read_authentication(told),
        secret=bool(told.text_or_empty(names.SECRET)),
    )


def _kind(role: Code) -> CallerKind:
    for kind, code in names.ROLES_BY_KIND.items():
        if (role.code, role.scheme) == (code.code, code.scheme):
            return kind
    if role.scheme not in names.ROLE_SYSTEMS:
        raise InvalidValue("the role is of no code system that is known")
    return CallerKind.PROFESSIONAL


def _read_person(kind: CallerKind, number: str, name: str) -> Person:
    """The bearer; the name is one text, which begins with the given name."""
    given, _, family = name.partition(" ")
    if kind is CallerKind.SYSTEM or not family:
        return Person(number=number, family=name)
    return Person(number=number, family=family.strip(), given=given)


def _read_sector(text: str) -> Code:
    code, _, scheme = text.partition("^")
    if not _SECTOR.fullmatch(code) or scheme != names.SECTORS:
        raise InvalidValue("the sector of activity is not known")
    return Code(code=code, scheme=scheme)


def _read_authentication(told: _Attributes) -> Authentication:
    try:
        return Authentication(told.text(names.AUTHENTICATION))
    except ValueError:
        raise InvalidValue("the mode of authentication is not known") from None


def _read_purpose(told: _Attributes) -> tuple[Purpose, str]:
    found = told.codes(names.PURPOSE, "PurposeOfUse")
    if len(found) != 1 or found[0].get("codeSystem") != names.PURPOSES:
        raise InvalidValue("the purpose of use is missing, or of no code system that is known")
    try:
        purpose = Purpose(found[0].get("code", ""))
    except ValueError:
        raise InvalidValue("the purpose of use is not known") from None
    reason = (found[0].findtext(_hl7("originalText")) or "").strip()
    if len(reason) > TEXT_LENGTH_MAX:
        raise InvalidValue("the reason is too long")
    return purpose, reason


def _read_code(element: Element) -> Code:
    told = [element.get(name, "") for name in ("code", "codeSystem", "displayName")]
    code, scheme, display = told
    if not code or not scheme or max(len(code), len(scheme)) > CODE_LENGTH_MAX:
        raise InvalidValue("a role is no code")
    return Code(code=code, scheme=scheme, display=display[:TEXT_LENGTH_MAX])


def _read_conditions(assertion: Element) -> Conditions:
    """The conditions of SAML 2.0 core §2.5.1, of which all must be understood."""
    found = assertion.findall("saml2:Conditions", _SAML)
    if not found:
        return Conditions()
    if len(found) > 1:
        raise InvalidValue("the assertion has conditions twice")
    conditions = found[0]
    known = {_saml("AudienceRestriction"), _saml("OneTimeUse")}
    if any(one.tag not in known for one in conditions):
        raise InvalidValue("a condition of the assertion is not understood")
    restrictions = conditions.findall("saml2:AudienceRestriction", _SAML)
    if len(restrictions) > 1:
        raise InvalidValue("the assertion is restricted to audiences twice")
    audiences = [_text(one, "Audience") for each in restrictions for one in each]
    if restrictions and not audiences:
        raise InvalidValue("the assertion is restricted to no audience")
    return Conditions(
        not_before=_moment_or_none(conditions, "NotBefore"),
        not_on_or_after=_moment_or_none(conditions, "NotOnOrAfter"),
        audiences=tuple(audiences),
        one_time=conditions.find("saml2:OneTimeUse", _SAML) is not None,
    )


def _moment_or_none(element: Element, name: str) -> datetime | None:
    return read_moment(element.get(name, "")) if name in element.attrib else None


def _only(parent: Element, tag: str) -> Element:
    found = parent.findall(f"saml2:{tag}", _SAML)
    if len(found) != 1:
        raise InvalidValue(f"{tag} is missing, or is there twice")
    return found[0]


def _text(element: Element, name: str) -> str:
    text = (element.text or "").strip()
    if not text or len(element) or len(text) > TEXT_LENGTH_MAX:
        raise InvalidValue(f"{name} is no text of 1 to {TEXT_LENGTH_MAX} characters")
    return text


def _saml(tag: str) -> str:
    return f"{{{names.SAML}}}{tag}"


def _hl7(tag: str) -> str:
    return f"{{{names.HL7}}}{tag}"
