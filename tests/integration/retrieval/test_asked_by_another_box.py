"""Another DRIMbox, which names the manifest that led it here, gets patients named by INS."""

from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
)

from simulators.digest import digest_of
from tests.support.retrieval import Bench, a_slice, instances_of, part10_of, parts_of
from tests.support.studies import INS, LOCAL_ID, SERIES, STUDY, report_news

PARTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
MANIFEST = {"KOS-SOPInstanceUID": "1.2.250.1.999.8.1"}
INSTANCE = f"/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1"


async def asked(
    bench: Bench, path: str = f"/studies/{STUDY}", accept: str = PARTS, **headers: str
) -> tuple[str, bytes]:
    told = {"Accept": accept, **MANIFEST, **headers}
    async with bench.http.get(bench.root + path, headers=told) as response:
        assert response.status == 200
        return response.headers["Content-Type"], await response.read()


async def report(bench: Bench, **told: Any) -> None:
    await bench.stores.database.write(
        lambda tx: bench.stores.studies.report_received(tx, report_news(**told), now_ms=0)
    )


def named_by(instance: Dataset) -> list[str]:
    return [one.PatientID for one in instance.get("OtherPatientIDsSequence", [])]


@pytest.mark.parametrize(
    "stored, given",
    [
        (ExplicitVRLittleEndian, ExplicitVRLittleEndian),
        (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
        (DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian),
        (JPEG2000Lossless, JPEG2000Lossless),
    ],
)
async def test_each_instance_names_the_patient_by_ins_beside_the_local_id(
    bench: Bench, stored: str, given: str
) -> None:
    await bench.push(a_slice(1), stored)
    await bench.push(a_slice(2), stored)
    await report(bench)

    kind, body = await asked(bench)

    assert {syntax for syntax, _ in parts_of(kind, body)} == {given}
    for instance in instances_of(kind, body):
        assert named_by(instance) == [INS.value]
        assert instance.PatientID == LOCAL_ID.value


async def test_but_for_that_the_data_set_is_what_is_stored(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await report(bench)

    kind, body = await asked(bench)

    [(_, content)] = parts_of(kind, body)
    assert digest_of(BytesIO(content)) == digest_of(BytesIO(part10_of(a_slice(1))))


async def test_an_instance_that_comes_alone_tells_its_new_length(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await report(bench)

    _, named = await asked(bench, INSTANCE, "application/dicom; transfer-syntax=*")
    async with bench.get(INSTANCE, accept="application/dicom; transfer-syntax=*") as response:
        stored = await response.read()

    assert INS.value.encode() in named
    assert INS.value.encode() not in stored
    assert len(named) > len(stored)


async def test_images_that_the_pacs_holds_are_named_as_they_come(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2))
    await report(bench)

    instances = instances_of(*await asked(bench))

    assert [named_by(one) for one in instances] == [[INS.value]] * 2


async def test_an_instance_whose_header_cannot_be_walked_leaves_as_it_is_stored(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Some writers compress pixels and write what is before them in Implicit VR."""
    broken = a_slice(1)
    await bench.push(broken, JPEG2000Lossless)
    await report(bench)
    snapshot = await bench.stores.snapshot(STUDY)
    [path] = [bench.stores.objects.path(one.stored.key) for one in snapshot.images if one.stored]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"\x08\x00\x05\x00CS", b"\x08\x00\x05\x00\0\0"))

    kind, body = await asked(bench)

    [(_, content)] = parts_of(kind, body)
    assert content == path.read_bytes()
    assert [one.message for one in caplog.records if one.name.endswith("leaving")] == [
        "instance_not_named_by_ins"
    ]


async def test_nobody_is_named_by_an_ins_that_is_not_validated(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await report(bench, identity_status="PROV")

    [instance] = instances_of(*await asked(bench))

    assert named_by(instance) == []


# What the agency's validator sends: ranges with a boundary of their own, in several headers.
LISTED = {
    "1.2.840.10008.1.2.4.70": 0.9,
    "1.2.840.10008.1.2.4.80": 0.8,
    "1.2.840.10008.1.2.4.91": 0.6,
    "1.2.840.10008.1.2.4.50": 0.5,
    "1.2.840.10008.1.2.1": 0.4,
}
RANGES = ", ".join(
    f'multipart/related; type="application/dicom";transfer-syntax={syntax};q={quality};boundary=**'
    for syntax, quality in LISTED.items()
)


@pytest.mark.parametrize(
    "stored, given",
    [
        (ExplicitVRLittleEndian, ExplicitVRLittleEndian),
        (JPEGLSLossless, JPEGLSLossless),
        (JPEG2000, JPEG2000),
        (DeflatedExplicitVRLittleEndian, JPEGLSLossless),
    ],
)
async def test_what_is_listed_comes_as_it_is_stored_and_else_in_what_is_wanted_most(
    bench: Bench, stored: str, given: str
) -> None:
    """Rewriting a study costs both boxes more than the bytes that it might save."""
    await bench.push(a_slice(1), stored)

    kind, body = await asked(bench, accept=RANGES)

    assert [syntax for syntax, _ in parts_of(kind, body)] == [given]


async def test_a_manifest_that_is_no_uid_is_refused(bench: Bench) -> None:
    await bench.push(a_slice(1))

    told = {"Accept": PARTS, "KOS-SOPInstanceUID": "EXEMPLE"}
    async with bench.http.get(f"{bench.root}/studies/{STUDY}", headers=told) as response:
        assert response.status == 400
        assert "EXEMPLE" not in await response.text()
