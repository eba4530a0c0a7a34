"""An assertion proves who asks only if it was signed, by whom it says, for now and for here."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree

from indexer.client.assertion import Structure
from indexer.contract.access import Authentication
from indexer.server.access.assertions import ASSERTION_BYTES_MAX
from indexer.server.access.policy import Unproved
from indexer.server.access.trust import Trust
from indexer.wire.proof import vocabulary as names
from indexer.wire.proof.signatures import DS, sign_enveloped
from indexer.wire.proof.vihf import Vihf, write_vihf
from indexer.wire.soap.envelope import SecurityFault
from indexer.wire.xml import Element
from tests.support.health_pki import (
    NOW,
    ORGANISATIONS,
    SOFTWARE,
    STRUCTURE,
    a_doctor,
    a_structure,
    a_subject,
    an_authority,
    organisations,
    signing,
)
from tests.support.proving import RULES, built, proved, refused
from tests.support.vihf import CALLERS, DOCTOR


def signed_by(certificate: x509.Certificate, *, key: int = 1) -> bytes:
    return built(structure=Structure(key=signing(certificate, key=key), software=SOFTWARE))


def told(change: Callable[[Element], object]) -> bytes:
    """An assertion that tells something else, signed all the same."""
    key = a_structure().key
    assertion = write_vihf(
        Vihf(
            assertion_id="_1",
            issuer=key.certificate.subject.rfc4514_string(),
            issued_at=NOW,
            caller=DOCTOR,
            software=SOFTWARE,
        )
    )
    change(assertion)
    return etree.tostring(sign_enveloped(assertion, key))


def test_who_is_vouched_for_is_known_with_the_structure_of_the_certificate() -> None:
    found = proved(built())

    assert found.caller == replace(DOCTOR, organisation=found.caller.organisation)
    assert found.caller.organisation.number == STRUCTURE
    assert found.caller.organisation.name == "CABINET M DOC0036790"
    assert found.until == NOW + timedelta(seconds=330)


def test_two_assertions_are_told_apart_and_one_is_itself() -> None:
    one, another = built(), built()

    assert proved(one).name == proved(one).name != proved(another).name


@pytest.mark.parametrize("seconds, fault", [
    (-31, SecurityFault.EXPIRED), (-30, None), (329, None), (330, SecurityFault.EXPIRED),
])  # fmt: skip
def test_it_is_good_for_some_minutes(seconds: int, fault: SecurityFault | None) -> None:
    assertion, now = built(), NOW + timedelta(seconds=seconds)

    if fault is None:
        assert proved(assertion, now=now).caller.person == DOCTOR.person
    else:
        assert refused(assertion, now=now).fault is fault


def conditions(inside: str = "", **limits: timedelta) -> Callable[[Element], None]:
    def change(assertion: Element) -> None:
        written = "".join(f' {name}="{(NOW + by).isoformat()}"' for name, by in limits.items())
        xml = f'<Conditions xmlns="{names.SAML}"{written}>{inside}</Conditions>'
        assertion.append(etree.fromstring(xml))

    return change


def for_audience(*audiences: str) -> Callable[[Element], None]:
    inside = "".join(f"<Audience>{one}</Audience>" for one in audiences)
    return conditions(f"<AudienceRestriction>{inside}</AudienceRestriction>")


@pytest.mark.parametrize("change, fault", [
    (conditions(NotOnOrAfter=timedelta(seconds=-30)), SecurityFault.EXPIRED),
    (conditions(NotOnOrAfter=timedelta(seconds=-29)), None),
    (conditions(NotBefore=timedelta(seconds=31)), SecurityFault.EXPIRED),
    (conditions(NotBefore=timedelta(seconds=30)), None),
    (for_audience("urn:somebody"), SecurityFault.FAILED),
    (for_audience("urn:somebody", "urn:dmp"), None),
    (conditions("<ProxyRestriction/>"), SecurityFault.INVALID),
])  # fmt: skip
def test_its_own_conditions_are_kept(
    change: Callable[[Element], None], fault: SecurityFault | None
) -> None:
    if fault is None:
        assert proved(told(change)).caller.person == DOCTOR.person
    else:
        assert refused(told(change)).fault is fault


def test_who_issues_it_may_ask_that_it_is_used_once() -> None:
    assert proved(told(conditions("<OneTimeUse/>"))).one_time
    assert not proved(built()).one_time


@pytest.mark.parametrize("issuer", [
    f"CN=DRIMbox, OU={STRUCTURE}, O=CABINET M DOC0036790, ST=Paris (75), C=FR",
    f"C=FR, S=Paris (75), O=CABINET M DOC0036790, OU={STRUCTURE}, CN=DRIMbox",
])  # fmt: skip
def test_the_issuer_may_be_written_as_the_agency_does(issuer: str) -> None:
    def change(assertion: Element) -> None:
        assertion[0].text = issuer

    assert proved(told(change)).caller.person == DOCTOR.person


@pytest.mark.parametrize("issuer", [
    "CN=DRIMbox",
    f"CN=DRIMbox,OU={STRUCTURE},O=CABINET M DOC0036790,ST=Paris (75),C=DE",
    f"OU={STRUCTURE},CN=DRIMbox,O=CABINET M DOC0036790,ST=Paris (75),C=FR",
    "DRIMbox",
])  # fmt: skip
def test_an_issuer_who_is_not_the_certificates_subject_is_refused(issuer: str) -> None:
    def change(assertion: Element) -> None:
        assertion[0].text = issuer

    assert refused(told(change)).reason == "the issuer is not the subject of its certificate"


OTHERS = an_authority(ORGANISATIONS, key=4)
"""It has the name of the authority that is trusted, and another key."""
PERSON = (*a_subject(), (NameOID.SURNAME, "PAT-SIX"), (NameOID.GIVEN_NAME, "Alain"))


def without_unit() -> tuple[tuple[x509.ObjectIdentifier, str], ...]:
    return tuple(one for one in a_subject() if one[0] != NameOID.ORGANIZATIONAL_UNIT_NAME)


@pytest.mark.parametrize("certificate, reason", [
    (lambda: OTHERS.certify(a_subject()), "its certificate is of no authority that is trusted"),
    (lambda: organisations().certify(a_subject(), until=NOW - timedelta(days=1)),
     "its certificate is of no authority that is trusted"),
    (lambda: organisations().certify(a_subject(), usage="key_encipherment"),
     "its certificate is not for signing"),
    (lambda: organisations().certify(PERSON), "its certificate is a person's"),
    (lambda: organisations().certify(without_unit()), "its certificate names no structure"),
    (lambda: organisations().certify(a_subject("1750803447")),
     "the structure is not the one of its certificate"),
])  # fmt: skip
def test_a_certificate_that_does_not_speak_for_the_structure_is_refused(
    certificate: Callable[[], x509.Certificate], reason: str
) -> None:
    assert refused(signed_by(certificate())).reason == reason


def test_a_legal_entity_speaks_for_its_sites_alone() -> None:
    site, entity = "1750803447", STRUCTURE
    assertion = built(a_doctor(structure=site))

    of_its_own = proved(assertion, rules=replace(RULES, sites={site: entity}))
    of_another = refused(assertion, rules=replace(RULES, sites={site: "1300017985"}))

    assert of_its_own.caller.organisation.number == site
    assert of_another.reason == "the structure is not the one of its certificate"


def test_a_path_may_lead_over_an_authority_that_comes_with_the_signature() -> None:
    below = organisations().authority("TEST AC BELOW", key=5)
    assertion = etree.fromstring(signed_by(below.certify(a_subject())))
    data = next(assertion.iter(f"{{{DS}}}X509Data"))
    etree.SubElement(data, f"{{{DS}}}X509Certificate").text = as_text(below.certificate)

    alone = refused(signed_by(below.certify(a_subject())))

    assert proved(etree.tostring(assertion)).caller.person == DOCTOR.person
    assert alone.reason == "its certificate is of no authority that is trusted"


def as_text(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def test_a_remembered_path_ends_with_its_certificate() -> None:
    structure = Structure(
        key=signing(organisations().certify(a_subject(), until=NOW + timedelta(seconds=10))),
        software=SOFTWARE,
    )
    trust = Trust([organisations().certificate], None)
    assertion = built(structure=structure)

    first = proved(assertion, trust=trust)
    with pytest.raises(Unproved) as later:
        proved(assertion, trust=trust, now=NOW + timedelta(seconds=11))

    assert first.caller.person == DOCTOR.person
    assert later.value.reason == "its certificate does not hold now"


def test_sha1_is_taken_only_where_it_is_allowed() -> None:
    assertion = built(structure=a_structure(sha1=True))

    assert refused(assertion).fault is SecurityFault.ALGORITHM
    assert proved(assertion, rules=replace(RULES, sha1=True)).caller.person == DOCTOR.person


def test_a_card_is_no_proof_that_a_structure_can_give() -> None:
    direct = replace(DOCTOR, authentication=Authentication.DIRECT)

    assert refused(built(direct)).fault is SecurityFault.FAILED


@pytest.mark.parametrize("who", ["the patient", "who stands for the patient"])
def test_only_a_portal_vouches_for_patients(who: str) -> None:
    assertion = built(CALLERS[who])
    rules = replace(RULES, portals=frozenset({STRUCTURE}))

    assert refused(assertion).reason == "the structure may not vouch for patients"
    assert proved(assertion, rules=rules).caller.kind is CALLERS[who].kind


@pytest.mark.parametrize("assertion", [
    b"", b"<", b"\xff", b"<Assertion/>", b" " * ASSERTION_BYTES_MAX + b"<a/>",
    b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
], ids=["nothing", "no XML", "no text", "no signature", "too long", "a document type"])  # fmt: skip
def test_what_is_no_assertion_is_refused(assertion: bytes) -> None:
    assert refused(assertion).fault is SecurityFault.INVALID


@pytest.mark.parametrize("change", [
    lambda one: one.replace(b">899700367909<", b">899700367910<"),
    lambda one: one.replace(b'code="normal"', b'code="centre_15"'),
    lambda one: one.replace(b"INDIRECTE_RENFORCEE", b"INDIRECTE"),
    lambda one: one.replace(DOCTOR.patient.value.encode(), b"162018885045327"),
])  # fmt: skip
def test_what_was_changed_after_it_was_signed_proves_nothing(
    change: Callable[[bytes], bytes],
) -> None:
    assertion = built()

    changed = change(assertion)

    assert changed != assertion
    assert refused(changed).reason == "the signature does not hold"


def test_a_comment_within_a_name_hides_nothing_of_it() -> None:
    """What is signed has no comments, so that one may be put in later: all of the text is read."""
    commented = built().replace(b">899700367909<", b">8997<!-- -->00367909<")

    assert proved(commented).caller.person.number == "899700367909"
