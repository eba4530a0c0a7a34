"""The VIHF: what a client tells of a caller is what a server reads, in the agency's own shape."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree

from indexer.client.assertion import build_assertion
from indexer.contract.access import Authentication, Caller, CallerKind
from indexer.contract.document import Code, Person
from indexer.contract.errors import InvalidValue
from indexer.wire.proof import vocabulary as names
from indexer.wire.proof.reader import read_vihf
from indexer.wire.proof.signatures import DS, UnsupportedAlgorithm, certificates_in, check_enveloped
from indexer.wire.xml import Element
from tests.support.health_pki import NOW, SOFTWARE, STRUCTURE, a_structure
from tests.support.peers import shared_data
from tests.support.vihf import CALLERS, DOCTOR
from tests.support.xml_types import types_told

SPACES = {"s": names.SAML, "d": DS, "h": names.HL7}


def built(caller: Caller = DOCTOR) -> Element:
    return etree.fromstring(build_assertion(caller, a_structure(), now=NOW))


@pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
def test_what_is_told_of_a_caller_is_what_is_read(caller: Caller) -> None:
    told = read_vihf(built(caller))

    assert told.caller == caller
    assert (told.software, told.issued_at) == (SOFTWARE, NOW)
    assert told.issuer == f"CN=DRIMbox,OU={STRUCTURE},O=CABINET M DOC0036790,ST=Paris (75),C=FR"


def test_two_assertions_of_one_caller_have_two_ids() -> None:
    ids = {built().get("ID") for _ in range(2)}

    assert len(ids) == 2


@pytest.mark.parametrize("sha1", [False, True])
def test_what_is_signed_is_read_as_it_was_signed(sha1: bool) -> None:
    data = build_assertion(DOCTOR, a_structure(sha1=sha1), now=NOW)
    [certificate] = certificates_in(etree.fromstring(data))

    signed = check_enveloped(etree.fromstring(data), "ID", certificate, sha1=sha1)

    assert read_vihf(signed).caller == read_vihf(etree.fromstring(data)).caller
    assert signed.find("d:Signature", SPACES) is None


def test_sha1_is_taken_only_where_it_is_allowed() -> None:
    data = build_assertion(DOCTOR, a_structure(sha1=True), now=NOW)
    [certificate] = certificates_in(etree.fromstring(data))

    with pytest.raises(UnsupportedAlgorithm):
        check_enveloped(etree.fromstring(data), "ID", certificate, sha1=False)


def test_it_has_the_shape_of_the_agencys_own() -> None:
    """Tags, attributes and their order; what the agency leaves out is left out."""
    own = built(replace(DOCTOR, authentication=Authentication.INDIRECT))
    theirs = the_agencys()

    assert shape(own) == shape(theirs)
    assert [one.get("Name") for one in own.iter(f"{{{names.SAML}}}Attribute")] == [
        one.get("Name") for one in theirs.iter(f"{{{names.SAML}}}Attribute")
    ]


def test_its_codes_are_of_a_type_of_hl7() -> None:
    assert types_told(built()) == {f"{{{names.HL7}}}CE"}


@pytest.mark.parametrize("spelling", ["Authentification_Mode", "Authentification_mode"])
def test_the_mode_of_authentication_is_read_in_both_spellings(spelling: str) -> None:
    assertion = built(replace(DOCTOR, authentication=Authentication.INDIRECT))
    renamed(spelling)(assertion)

    assert read_vihf(assertion).caller.authentication is Authentication.INDIRECT


def test_the_agencys_own_is_read() -> None:
    told = read_vihf(the_agencys())

    assert told.caller.kind is CallerKind.PROFESSIONAL
    assert told.caller.person == Person(number="899700367909", family="PAT-SIX", given="Alain")
    assert told.caller.patient.value == "162018885045327"
    assert told.caller.authentication is Authentication.INDIRECT
    assert told.caller.role == Code(code="10", scheme=names.PROFESSIONS, display="Medecin")
    assert told.caller.speciality is not None
    assert told.caller.speciality.code == "SM26"


def the_agencys() -> Element:
    """The assertion of the agency's own request, with values of ours where they are blanked."""
    data = (shared_data() / "ans" / "XDS" / "publication.xml").read_bytes()
    start, end = data.index(b"<saml2:Assertion"), data.index(b"</saml2:Assertion>")
    return etree.fromstring(data[start:end] + b"</saml2:Assertion>")


def shape(element: Element) -> list[str]:
    """Tags and attributes in their order; the prefix list of a canonical form is a choice."""
    return [
        f"{one.tag} {sorted(one.attrib)}"
        for one in element.iter()
        if not str(one.tag).endswith("InclusiveNamespaces")
    ]


def remove(path: str) -> Callable[[Element], None]:
    def change(assertion: Element) -> None:
        [found] = assertion.iterfind(path, SPACES)
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)

    return change


def attribute(name: str) -> str:
    return f".//s:Attribute[@Name='{name}']"


def value(name: str, text: str) -> Callable[[Element], None]:
    def change(assertion: Element) -> None:
        [found] = assertion.iterfind(f"{attribute(name)}/s:AttributeValue", SPACES)
        found.text = text

    return change


def renamed(spelling: str) -> Callable[[Element], None]:
    """Spell the mode of authentication so."""

    def change(assertion: Element) -> None:
        told = assertion.find(attribute(names.AUTHENTICATION), SPACES)
        assert told is not None
        told.set("Name", spelling)

    return change


def twice(path: str) -> Callable[[Element], None]:
    def change(assertion: Element) -> None:
        [found] = assertion.iterfind(path, SPACES)
        found.addnext(etree.fromstring(etree.tostring(found, with_tail=False)))

    return change


def coded(tag: str, **changed: str) -> Callable[[Element], None]:
    def change(assertion: Element) -> None:
        found = next(assertion.iter(f"{{{names.HL7}}}{tag}"))
        for name, text in changed.items():
            found.set(name, text)

    return change


def conditions(inside: str, **attributes: str) -> Callable[[Element], None]:
    def change(assertion: Element) -> None:
        told = "".join(f' {name}="{text}"' for name, text in attributes.items())
        xml = f'<Conditions xmlns="{names.SAML}"{told}>{inside}</Conditions>'
        assertion.append(etree.fromstring(xml))

    return change


WRONG = {
    "another version of SAML": lambda one: one.set("Version", "1.1"),
    "no ID": lambda one: one.set("ID", ""),
    "an ID that is a text": lambda one: one.set("ID", "a b"),
    "a moment without its zone": lambda one: one.set("IssueInstant", "2026-11-23T10:00:00"),
    "no issuer": remove("s:Issuer"),
    "no subject": remove("s:Subject"),
    "two subjects": twice("s:Subject"),
    "two names": twice("s:Subject/s:NameID"),
    "two lists of attributes": twice("s:AttributeStatement"),
    "an attribute twice": twice(attribute(names.RESOURCE_ID)),
    "a mode in both spellings": lambda one: [
        twice(attribute(names.AUTHENTICATION))(one),
        renamed("Authentification_mode")(one),
    ],
    "two patients": twice(f"{attribute(names.RESOURCE_ID)}/s:AttributeValue"),
    "an unknown version": value(names.VIHF_VERSION, "2.0"),
    "another resource": value(names.RESOURCE_URN, "urn:mes"),
    "a patient without an INS": value(names.RESOURCE_ID, "1^^^&1.2.250.1.213.1.4.10&ISO^NH"),
    "an unknown mode": value(names.AUTHENTICATION, "AIR"),
    "an unknown sector": value(names.SECTOR, "XX01^1.2.250.1.71.4.2.4"),
    "a sector of another system": value(names.SECTOR, "SA01^1.2.3"),
    "an unknown purpose": coded("PurposeOfUse", code="curiosity"),
    "a purpose of another system": coded("PurposeOfUse", codeSystem="1.2.3"),
    "an emergency without a reason": coded("PurposeOfUse", code="bris_de_glace"),
    "a role of another system": coded("Role", codeSystem="1.2.3"),
    "a role without a code": coded("Role", code=""),
    "no structure": remove(attribute(names.STRUCTURE)),
    "no role": remove(attribute(names.ROLE)),
    "no sector": remove(attribute(names.SECTOR)),
    "no purpose": remove(attribute(names.PURPOSE)),
    "no approval of the software": remove(attribute(names.SOFTWARE_APPROVAL)),
    "a doctor of no speciality": remove(f"{attribute(names.ROLE)}/s:AttributeValue[2]"),
    "a condition that nobody understands": conditions("<Lunar/>"),
    "an audience that is nobody": conditions("<AudienceRestriction/>"),
    "conditions twice": lambda one: [conditions("")(one), conditions("")(one)],
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_is_wrong_in_it_is_refused(change: Callable[[Element], object]) -> None:
    assertion = built()

    change(assertion)

    with pytest.raises(InvalidValue):
        read_vihf(assertion)


def test_its_conditions_are_read() -> None:
    assertion = built()
    until = NOW + timedelta(minutes=5)

    conditions(
        "<AudienceRestriction><Audience>urn:dmp</Audience></AudienceRestriction><OneTimeUse/>",
        NotBefore=NOW.isoformat(),
        NotOnOrAfter=until.isoformat(),
    )(assertion)

    told = read_vihf(assertion).conditions
    assert (told.not_before, told.not_on_or_after) == (NOW, until)
    assert (told.audiences, told.one_time) == (("urn:dmp",), True)


def test_a_reason_that_is_wrong_names_no_patient() -> None:
    assertion = built()

    value(names.RESOURCE_ID, "279035121518901^^^&1.2.250.1.213.1.4.10&ISO^NH")(assertion)

    with pytest.raises(InvalidValue) as refused:
        read_vihf(assertion)
    assert "279035" not in str(refused.value)
