"""The agency's own ITI-41 request is taken, and found again by all that its metadata answers.

The sample (`ans/XDS/publication.xml`) was laid out for reading before it was published. To be sent,
it is put back as it was on the wire:

- heads of parts lose their indentation and get the line ends of MIME;
- of the signature document, which was indented too, hash and size become those of its bytes now;
- what the agency blanked (`XXXXXXX`: certificate, structure, software) is all in the assertion of
  its sender, which an index with open access does not look at, and stays as it is.

The manifest, which is base64, is as it was: its hash and size are the sample's own.
"""

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from indexer.contract.identifiers import Uid
from indexer.server.web.xds_routes import REPOSITORY_UID
from indexer.wire.xds.stored_query import QueryKind
from tests.support.indexes import a_served_index
from tests.support.peers import shared_data
from tests.support.xds import APPROVED, Reply, post, query, retrieve

BOUNDARY = b"MIMEBoundary_Bound"
CONTENT_TYPE = (
    f'multipart/related; boundary="{BOUNDARY.decode()}"; type="application/xop+xml"; '
    'start="<0.1>"; start-info="application/soap+xml"'
)
HASH, SIZE = b"bc9498379c2ef8da40b372fe38f2f14a3e058cf8", b"<Value>6102</Value>"

PATIENT = "'162018885045327^^^&1.2.250.1.213.1.4.10&ISO'"
KOS = Uid("1.3.2.751468943.3.1234.56838.231114144457.1.1.1")
SIGNATURE = Uid("2.25.253872960909518376796861585574417771331")
SET = "1.2.250.1.999.1.1.8121.5.7122"
ENTRY = "$XDSDocumentEntry"
STATUS = (f"{ENTRY}Status", f"('{APPROVED}')")


def sample() -> tuple[bytes, bytes, bytes]:
    """The message as it is sent, its manifest and its signature document."""
    data = (shared_data() / "ans" / "XDS" / "publication.xml").read_bytes()
    _, *parts, _ = data.split(b"--" + BOUNDARY)
    told = [part.lstrip(b"\n").partition(b"\n\n") for part in parts]
    heads = [b"\r\n".join(line.strip() for line in head.splitlines()) for head, _, _ in told]
    envelope, signature, manifest = (body.strip() for _, _, body in told)
    assert HASH in envelope
    assert SIZE in envelope
    sha1 = hashlib.sha1(signature, usedforsecurity=False).hexdigest().encode()
    envelope = envelope.replace(HASH, sha1)
    envelope = envelope.replace(SIZE, b"<Value>%d</Value>" % len(signature))
    message = b"".join(
        b"--%s\r\n%s\r\n\r\n%s\r\n" % (BOUNDARY, head, body)
        for head, body in zip(heads, (envelope, signature, manifest), strict=True)
    )
    return message + b"--%s--\r\n" % BOUNDARY, base64.b64decode(manifest), signature


@pytest.fixture
async def index_url(tmp_path: Path) -> AsyncIterator[str]:
    async with a_served_index(tmp_path) as url:
        yield url


@pytest.fixture
async def provided(index_url: str) -> Reply:
    message, _, _ = sample()
    return await post(f"{index_url}/xds/repository", message, content_type=CONTENT_TYPE)


async def uuids(index_url: str) -> dict[str, str]:
    """The entryUUIDs of manifest and signature, and of their set."""
    found = {}
    for name, unique_id in (("kos", KOS), ("signature", SIGNATURE)):
        reply = await query(
            index_url, QueryKind.GET_DOCUMENTS, (f"{ENTRY}UniqueId", f"('{unique_id}')")
        )
        [found[name]] = reply.ids("ExtrinsicObject")
    contents = await query(
        index_url, QueryKind.GET_SET_AND_CONTENTS, ("$XDSSubmissionSetUniqueId", f"'{SET}'")
    )
    [found["set"]] = contents.ids("RegistryPackage")
    return found


async def test_it_is_accepted_and_both_documents_are_given_back(
    provided: Reply, index_url: str
) -> None:
    _, manifest, signature = sample()

    given = await retrieve(index_url, REPOSITORY_UID, KOS, SIGNATURE)

    assert (provided.status, provided.outcome, provided.errors) == (200, "Success", [])
    assert given.documents == [manifest, signature]


@pytest.mark.parametrize("criteria", [
    [],
    [("ClassCode", "('31^^1.2.250.1.213.1.1.4.1')")],
    [("TypeCode", "('IMG-KOS^^1.2.250.1.213.1.1.4.12')")],
    [("FormatCode", "('1.2.840.10008.5.1.4.1.1.88.59^^1.2.840.10008.2.6.1')")],
    [("PracticeSettingCode", "('AMBULATOIRE^^1.2.250.1.213.1.1.4.9')")],
    [("HealthcareFacilityTypeCode", "('SA01^^1.2.250.1.71.4.2.4')")],
    [("ConfidentialityCode", "('N^^2.16.840.1.113883.5.25')")],
    [("EventCodeList", "('MR^^1.2.250.1.213.1.1.5.618')"),
     ("EventCodeList", "('63337009^^1.2.250.1.213.2.5')")],
    [("CreationTimeFrom", "20231114144457"), ("CreationTimeTo", "20231114144458")],
    [("ServiceStartTimeFrom", "202101040922"), ("ServiceStopTimeTo", "202101041606")],
    [("AuthorPerson", "('%DOC0036790^KIT%')")],
])  # fmt: skip
async def test_its_manifest_is_found_by_each_attribute(
    provided: Reply, index_url: str, criteria: list[tuple[str, str]]
) -> None:
    ids = await uuids(index_url)

    found = await query(
        index_url,
        QueryKind.FIND_DOCUMENTS,
        (f"{ENTRY}PatientId", PATIENT),
        STATUS,
        *((f"{ENTRY}{name}", value) for name, value in criteria),
    )

    assert ids["kos"] in found.ids("ExtrinsicObject")


@pytest.mark.parametrize("reference", [
    "7252295367250016^^^&1.2.840.113619.6.196&ISO^urn:ihe:iti:xds:2013:accession",
    "1.3.6.1.4.1.5962.99.1.3711725607.829148806.1687338938407.3.116^^^&1.2.3.4.5.6&ISO^"
    "urn:ihe:iti:xds:2016:studyInstanceUID",
    "12989855966^^^&2.16.840.1.113883.6.96&ISO^urn:ihe:iti:xds:2013:order",
])  # fmt: skip
async def test_it_is_found_by_each_of_its_references(
    provided: Reply, index_url: str, reference: str
) -> None:
    ids = await uuids(index_url)

    found = await query(
        index_url,
        QueryKind.FIND_BY_REFERENCE,
        (f"{ENTRY}PatientId", PATIENT),
        STATUS,
        (f"{ENTRY}ReferenceIdList", f"('{reference}')"),
    )

    assert set(found.ids("ExtrinsicObject")) == {ids["kos"], ids["signature"]}


async def test_it_is_found_by_what_belongs_together(provided: Reply, index_url: str) -> None:
    ids = await uuids(index_url)
    documents = {ids["kos"], ids["signature"]}
    uuid = ("$uuid", f"('urn:uuid:{ids['signature']}')")

    everything = await query(
        index_url,
        QueryKind.GET_ALL,
        ("$patientId", PATIENT),
        STATUS,
        ("$XDSSubmissionSetStatus", f"('{APPROVED}')"),
        ("$XDSFolderStatus", f"('{APPROVED}')"),
    )
    contents = await query(
        index_url, QueryKind.GET_SET_AND_CONTENTS, ("$XDSSubmissionSetUniqueId", f"'{SET}'")
    )
    sets = await query(index_url, QueryKind.GET_SUBMISSION_SETS, uuid)
    associations = await query(index_url, QueryKind.GET_ASSOCIATIONS, uuid)
    with_documents = await query(
        index_url,
        QueryKind.GET_DOCUMENTS_AND_ASSOCIATIONS,
        (f"{ENTRY}EntryUUID", f"('urn:uuid:{ids['kos']}')"),
    )
    related = await query(
        index_url,
        QueryKind.GET_RELATED,
        (f"{ENTRY}UniqueId", f"'{SIGNATURE}'"),
        ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:signs')"),
    )

    for whole in (everything, contents):
        assert set(whole.ids("ExtrinsicObject")) == documents
        assert whole.ids("RegistryPackage") == [ids["set"]]
        assert len(whole.ids("Association")) == 3
    assert sets.ids("RegistryPackage") == [ids["set"]]
    assert len(associations.ids("Association")) == 2
    assert with_documents.ids("ExtrinsicObject") == [ids["kos"]]
    assert len(with_documents.ids("Association")) == 1
    assert len(related.ids("Association")) == 1
