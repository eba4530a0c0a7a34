"""An index that lets in who proves who they are takes pointers from a gateway that does."""

import asyncio
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.scenarios.crashes import says, seen
from tests.scenarios.other_index import a_world_at
from tests.support.health_pki import a_subject, organisations, write_key
from tests.support.program import Program
from tests.support.programs import serving
from tests.support.world import Row, Study, World, until

STRUCTURE = "1990000127"
"""That the reports of the world are of, and so its pointers."""
SIGNS = "1.2.840.10065.1.12.1.14"
"""The event of a document that signs a submission."""
REFUSAL = '"reason": "the index answered with status 401"'
"""What the log of a gateway says of an index that does not know who asks."""


@pytest.fixture(params=["mhd", "xds"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def signature(folder: Path) -> dict[str, str]:
    """The settings by which a gateway proves who asks."""
    certificate = folder / "signature.pem"
    own = organisations().certify(a_subject(STRUCTURE))
    certificate.write_bytes(own.public_bytes(Encoding.PEM))
    return {
        "GATEWAY_SIGNATURE_CERTIFICATE": str(certificate),
        "GATEWAY_SIGNATURE_KEY": str(write_key(folder / "signature-key.pem")),
        "GATEWAY_SOFTWARE_APPROVAL": "BCO-465897-tmp2",
        "GATEWAY_FACILITY_CODE": "SA07",
    }


def a_closed_world(folder: Path, settings: dict[str, str]) -> AbstractContextManager[World]:
    """A world whose index lets in whom the authority of organisations certified."""
    authorities = organisations().write(folder / "authorities.pem")
    return a_world_at(folder, settings, {"INDEX_AUTHORITIES": str(authorities)}, open_access=False)


async def held(world: World, *studies: Study) -> list[list[str]]:
    """The statuses of what the index has of each study, once it is open to everybody."""
    await asyncio.to_thread(world.index.stop)
    opened = Program(
        serving("indexer.server"),
        {"INDEX_HTTP_PORT": str(world.index_port), "INDEX_DATA_DIR": str(world.index_dir)},
        port=world.index_port,
        log=world.data_dir.parent / "opened-index.log",
    )
    try:
        await asyncio.to_thread(opened.start)
        found = [await world.entries(one.examination.patient) for one in studies]
    finally:
        opened.close()
    return [sorted(one.status for one in entries if SIGNS not in one.codes) for entries in found]


async def test_a_gateway_that_proves_who_asks_publishes_replaces_and_takes_back(
    tmp_path: Path, protocol: str
) -> None:
    settings = signature(tmp_path) | {"GATEWAY_INDEX_PROTOCOL": protocol}
    with a_closed_world(tmp_path, settings) as world:
        study, wrong = world.a_study("MR"), world.a_study()
        *most, last = study.files
        await world.push(study, most)
        await world.report(study)
        await world.published(study)
        await world.push(study, [last])
        await world.published(study, revision=2)
        await world.push(wrong)
        await world.report(wrong)
        await world.published(wrong)

        await world.decide(f"/api/studies/{wrong.uid}/withdraw")
        await until(lambda: taken_back(world, wrong), told=lambda: world.standing(wrong))

        statuses = await held(world, study, wrong)
    assert statuses == [["current", "superseded"], []]


async def taken_back(world: World, study: Study) -> Row | None:
    row = await world.standing(study)
    return row if row["pointer"] == "none" else None


async def test_a_gateway_that_proves_nothing_is_refused_and_tries_again(
    tmp_path: Path, protocol: str
) -> None:
    with a_closed_world(tmp_path, {"GATEWAY_INDEX_PROTOCOL": protocol}) as world:
        study = world.a_study()
        await world.push(study)
        await world.report(study)

        await seen(lambda: says(world.gateway, "submission_postponed"))
        assert says(world.gateway, REFUSAL)

        row = await world.standing(study)
        assert (row["state"], await held(world, study)) == ("queued", [[]])
