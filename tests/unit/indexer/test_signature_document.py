"""The signature document of a submission set, as it is written and checked."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography import x509
from lxml import etree

from indexer.client.signature_document import sign_set
from indexer.contract.document_set import Relation
from indexer.contract.errors import InvalidValue
from indexer.wire.proof.names import names_subject
from indexer.wire.proof.signature_document import SignedSet, check_signature
from indexer.wire.proof.signatures import DS, UnsupportedAlgorithm, certificates_in
from indexer.wire.xds.document_set_reader import read_document_set
from indexer.wire.xds.reader import find_objects
from indexer.wire.xds.writer import submit_objects_request
from indexer.wire.xml import Element, open_xml
from tests.support.health_pki import NOW, a_subject, organisations
from tests.support.peers import shared_data
from tests.support.signing import KEY, SIGNATURE, a_signed_set
from tests.support.xds import a_set


def checked(content: bytes, *, sha1: bool = False) -> SignedSet:
    [certificate] = certificates_in(etree.fromstring(content))
    return check_signature(open_xml(content), certificate, sha1=sha1)


@pytest.mark.parametrize("sha1", [False, True])
def test_every_document_of_the_set_is_signed_and_the_set_is_named(sha1: bool) -> None:
    submitted = a_signed_set(replace(KEY, sha1=sha1))
    *signed, signature = submitted.documents

    told = checked(signature.content, sha1=sha1)

    assert told.undigested == {submitted.submission_set.unique_id}
    assert dict.fromkeys(told.documents, True) == {
        one.entry.unique_id: told.documents[one.entry.unique_id].matches(one.content)
        for one in signed
    }


def test_its_entry_is_that_of_a_signature() -> None:
    submitted = a_signed_set()
    first, *_, signature = submitted.documents
    entry = signature.entry

    assert (entry.class_code.code, entry.type_code.code, entry.format_code.code) == (
        "urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1",
        "E1762",
        DS,
    )
    assert [one.code for one in entry.event_codes] == ["1.2.840.10065.1.12.1.14"]
    assert (entry.mime_type, entry.language) == ("text/xml", "art")
    assert (entry.patient, entry.confidentiality) == (
        first.entry.patient,
        first.entry.confidentiality,
    )
    assert entry.sha1 == hashlib.sha1(signature.content).hexdigest()
    assert [(one.relation, one.source, one.target) for one in submitted.associations] == [
        (Relation.SIGNS, entry.entry_id, submitted.submission_set.set_id)
    ]


def test_it_is_told_and_read_as_any_document_is() -> None:
    submitted = a_signed_set()

    read = read_document_set(find_objects(submit_objects_request(submitted)))

    assert [one.entry for one in read.documents] == [one.entry for one in submitted.documents]
    assert read.associations == submitted.associations


def test_sha1_is_taken_only_where_it_is_allowed() -> None:
    with pytest.raises(UnsupportedAlgorithm):
        checked(a_signed_set(replace(KEY, sha1=True)).documents[-1].content)


def test_another_certificate_of_the_same_key_did_not_sign_it() -> None:
    content = a_signed_set().documents[-1].content
    renewed = organisations().certify(a_subject())

    with pytest.raises(InvalidValue, match="another certificate"):
        check_signature(open_xml(content), renewed, sha1=False)


def changed(pattern: bytes, by: bytes) -> Callable[[bytes], bytes]:
    return lambda content: re.sub(pattern, by, content, count=1)


def without(tag: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        root = etree.fromstring(content)
        found = next(root.iter(f"{{*}}{tag}"))
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)
        return etree.tostring(root)

    return change


def wrapped(content: bytes) -> bytes:
    """The manifest that was signed stays, in an Object of its own, and another stands first."""
    root = etree.fromstring(content)
    [manifest] = root.iter(f"{{{DS}}}Manifest")
    another = etree.fromstring(etree.tostring(manifest))
    next(another.iter(f"{{{DS}}}DigestValue")).text = "AAA="
    holder = etree.Element(f"{{{DS}}}Object")
    holder.append(another)
    root.insert(3, holder)
    return etree.tostring(root)


BROKEN = {
    "another digest in the manifest": changed(b'(oid:2.25.12".*?DigestValue>)..', rb"\1AA"),
    "another document in the manifest": changed(b'URI="urn:oid:2.25.1', b'URI="urn:oid:2.25.3'),
    "another time": changed(b"<SigningTime>2", b"<SigningTime>3"),
    "another signature": changed(b"<ds:SignatureValue>..", b"<ds:SignatureValue>AA"),
    "no manifest": without("Manifest"),
    "no properties": without("SignedProperties"),
    "no signing certificate": without("SigningCertificate"),
    "a second manifest": wrapped,
    "no signature": lambda _: b"<Manifest/>",
    "no XML": lambda _: b"%PDF-1.4",
    "a document type": lambda content: b"<!DOCTYPE a>" + content,
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_what_was_changed_after_it_was_signed_does_not_hold(
    change: Callable[[bytes], bytes],
) -> None:
    content = a_signed_set().documents[-1].content

    broken = change(content)

    assert broken != content
    with pytest.raises(InvalidValue):
        check_signature(open_xml(broken), KEY.certificate, sha1=False)


def test_the_agencys_own_holds_with_sha1_and_signs_its_manifest() -> None:
    """`ans/XDM/…/SIGN_1.XML`. The agency blanked its certificate, and left the same one in another
    sample (`ans/XDS/publication.xml`); what signs it names it by serial number and digest."""
    folder = shared_data() / "ans" / "XDM" / "KA202401" / "IHE_XDM" / "SS000001"

    told = check_signature(open_xml((folder / "SIGN_1.XML").read_bytes()), the_agencys(), sha1=True)

    [(name, digest)] = told.documents.items()
    assert name == "1.3.2.751468943.3.1234.99352.240116151112.1.1.1"
    assert digest.matches((folder / "KOS_1_1.DCM").read_bytes())
    assert told.undigested == {"1.2.250.1.999.1.1.8121.4.9618"}


def test_the_agencys_certificate_is_the_one_that_its_assertion_names() -> None:
    data = (shared_data() / "ans" / "XDS" / "publication.xml").read_text(errors="replace")
    [issuer] = re.findall(r"<saml2:Issuer[^>]*>([^<]+)<", data)

    assert names_subject(issuer, the_agencys())


def test_ours_has_the_shape_of_the_agencys_own() -> None:
    folder = shared_data() / "ans" / "XDM" / "KA202401" / "IHE_XDM" / "SS000001"
    theirs = etree.fromstring((folder / "SIGN_1.XML").read_bytes())
    ours = etree.fromstring(
        sign_set(a_set(1), KEY, document_id=SIGNATURE, now=NOW).documents[-1].content
    )

    assert shape(ours) == shape(theirs)


def the_agencys() -> x509.Certificate:
    data = (shared_data() / "ans" / "XDS" / "publication.xml").read_bytes()
    found = re.search(rb"<X509Certificate>(MII[^<]+)</", data)
    assert found is not None
    return x509.load_der_x509_certificate(base64.b64decode(found[1]))


def shape(root: Element) -> list[str]:
    """Tags in their order, but for transforms: the agency's leave theirs out."""
    return [
        str(one.tag)
        for one in root.iter()
        if not str(one.tag).endswith(("Transforms", "Transform"))
    ]
