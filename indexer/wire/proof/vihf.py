"""Writes the VIHF: a SAML 2.0 assertion of who asks for what of whom.

Attributes stand in the order in which the agency's own samples have them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from indexer.contract.access import Authentication, Caller, CallerKind, Purpose, Software
from indexer.contract.document import Code
from indexer.contract.errors import InvalidValue
from indexer.wire import hl7_values as values
from indexer.wire.proof import vocabulary as names
from indexer.wire.proof.signatures import placeholder
from indexer.wire.xml import Element, clean

_SAML: Final = {"saml2": names.SAML}
# The type of a code has no prefix: a strict reader looks for it in the default namespace, of which
# lxml's stubs know nothing.
_HL7: Final[dict[str, str]] = {None: names.HL7, "xsi": names.XSI}  # type: ignore[dict-item]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Under which an assertion holds (SAML 2.0 core §2.5.1); the DMP asks for none."""

    not_before: datetime | None = None
    not_on_or_after: datetime | None = None
    audiences: tuple[str, ...] = ()
    """Whom it is for; anybody where it does not say."""
    one_time: bool = False
    """Whether it is good for one use, whatever it comes with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vihf:
    """What one assertion tells."""

    assertion_id: str
    issuer: str
    """Distinguished name of the certificate that signs it (RFC 2253)."""
    issued_at: datetime
    caller: Caller
    software: Software
    conditions: Conditions = Conditions()
    """Read, and never written: the guides of the DMP leave them out."""


def write_vihf(told: Vihf) -> Element:
    """The assertion, with a place for its signature.

    Raises:
        InvalidValue: the caller cannot be told in a VIHF.
    """
    expect_complete(told.caller)
    moment = _write_instant(told.issued_at)
    assertion = etree.Element(_saml("Assertion"), nsmap={**_SAML, "xsi": names.XSI})
    assertion.set("ID", told.assertion_id)
    assertion.set("IssueInstant", moment)
    assertion.set("Version", "2.0")
    _add(assertion, "Issuer", told.issuer).set("Format", names.SUBJECT_NAME)
    assertion.append(placeholder())
    subject = _add(assertion, "Subject")
    _add(subject, "NameID", told.caller.person.number or told.caller.patient.value)
    statement = _add(assertion, "AuthnStatement")
    statement.set("AuthnInstant", moment)
    context = _add(statement, "AuthnContext")
    automatic = told.caller.kind is CallerKind.SYSTEM
    _add(context, "AuthnContextClassRef", names.UNSPECIFIED if automatic else names.TLS_CLIENT)
    if told.caller.authentication is Authentication.REINFORCED:
        _add(context, "AuthnContextDecl", names.BROWSER)
    attributes = _add(assertion, "AttributeStatement")
    for name, written in _attributes(told.caller, told.software):
        attribute = _add(attributes, "Attribute")
        attribute.set("Name", name)
        for one in written:
            value = _add(attribute, "AttributeValue")
            if isinstance(one, str):
                value.text = clean(one)
            else:
                value.append(one)
    return assertion


def _attributes(
    caller: Caller, software: Software
) -> Iterator[tuple[str, Sequence[str | Element]]]:
    sector, role = caller.sector, names.ROLES_BY_KIND.get(caller.kind, caller.role)
    name = " ".join(one for one in (caller.person.given, caller.person.family) if one)
    yield names.VIHF_VERSION, [names.VERSION]
    if sector is not None:
        yield names.SECTOR, [f"{sector.code}^{sector.scheme}"]
    yield names.RESOURCE_URN, [names.RESOURCE]
    yield names.SUBJECT_ID, [name or software.name]
    yield names.STRUCTURE, [caller.organisation.number]
    for key, told in (
        (names.SOFTWARE_NUMBER, software.number),
        (names.SOFTWARE_NAME, software.name),
        (names.SOFTWARE_APPROVAL, software.approval),
        (names.SOFTWARE_VERSION, software.version),
    ):
        if told:
            yield key, [told]
    yield names.RESOURCE_ID, [values.write_patient(caller.patient)]
    yield names.AUTHENTICATION, [caller.authentication.value]
    yield names.PURPOSE, [_write_purpose(caller)]
    roles = [one for one in (role, caller.speciality) if one is not None]
    yield names.ROLE, [_write_code("Role", one) for one in roles]
    if caller.secret:
        yield names.SECRET, [names.HIDDEN_FROM_GUARDIANS]


def _write_purpose(caller: Caller) -> Element:
    """The mode of access; the reason for an emergency is in the bearer's own words."""
    display = names.PURPOSE_DISPLAY[caller.purpose]
    code = Code(code=caller.purpose.value, scheme=names.PURPOSES, display=display)
    element = _write_code("PurposeOfUse", code, system_name="mode acces VIHF 1.0")
    if caller.reason:
        etree.SubElement(element, _hl7("originalText")).text = clean(caller.reason)
    return element


def _write_code(tag: str, code: Code, *, system_name: str = "") -> Element:
    element = etree.Element(_hl7(tag), nsmap=_HL7)
    element.set("code", clean(code.code))
    element.set("codeSystem", clean(code.scheme))
    element.set("codeSystemName", system_name)
    if code.display:
        element.set("displayName", clean(code.display))
    element.set(f"{{{names.XSI}}}type", "CE")
    return element


def _write_instant(moment: datetime) -> str:
    told = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


def expect_complete(caller: Caller) -> None:
    """Refuse a caller who cannot be told in a VIHF.

    Raises:
        InvalidValue: something that their kind must tell is missing.
    """
    by_structure = caller.kind in (CallerKind.PROFESSIONAL, CallerKind.SYSTEM)
    if by_structure and (not caller.person.number or caller.sector is None):
        raise InvalidValue("a professional tells a national number and a sector of activity")
    if caller.kind is CallerKind.PROFESSIONAL:
        if caller.role is None:
            raise InvalidValue("a professional tells a role")
        doctor = (caller.role.scheme, caller.role.code in names.WITH_SPECIALITY)
        if doctor == (names.PROFESSIONS, True) and caller.speciality is None:
            raise InvalidValue("a doctor or pharmacist tells a speciality")
    if not caller.organisation.number:
        raise InvalidValue("the structure has no national number")
    if caller.purpose is not Purpose.NORMAL and not caller.reason:
        raise InvalidValue("an emergency needs a reason")


def _add(parent: Element, tag: str, text: str = "") -> Element:
    element = etree.SubElement(parent, _saml(tag))
    if text:
        element.text = clean(text)
    return element


def _saml(tag: str) -> str:
    return f"{{{names.SAML}}}{tag}"


def _hl7(tag: str) -> str:
    return f"{{{names.HL7}}}{tag}"
