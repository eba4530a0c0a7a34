"""A SOP Instance UID that comes again: a repeat, a correction, or somebody else's body."""

import random
from io import BytesIO
from pathlib import Path

from aiohttp import BodyPartReader, ClientSession, MultipartReader
from pydicom import dcmread

from simulators.digest import digest_of
from simulators.synthetic.identity import make_patient
from simulators.viewers.scripted import AS_STORED
from tests.scenarios.reports import a_report
from tests.support.world import SEED, Study, World

ROWS, COLUMNS = 4096, 3072
"""24 MiB: more than all buffers between a gateway and a reader who waits can hold."""
CHUNK_BYTES = 64 * 1024


def rewrite(study: Study, folder: Path, *, pixels: int | None = None, **elements: str) -> Study:
    """The study's first instance alone, with other elements under the same UIDs.

    Args:
        pixels: seed of pixels that fill a large image; None: those that it has.
    """
    folder.mkdir()
    ds = dcmread(study.files[0])
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    if pixels is not None:
        ds.Rows, ds.Columns = ROWS, COLUMNS
        ds.PixelData = random.Random(pixels).randbytes(2 * ROWS * COLUMNS)
    path = folder / "0001.dcm"
    ds.save_as(path)
    return Study(examination=study.examination, files=(path,))


async def test_a_correction_is_what_is_served_from_then_on(world: World, tmp_path: Path) -> None:
    study = world.a_study()
    await world.push(study)
    await world.report(study)
    await world.published(study)

    corrected = rewrite(study, tmp_path / "corrected", SeriesDescription="Thorax, corrigé")
    await world.push(corrected)
    await world.published(study, revision=2)

    fetched = await world.fetch(study)
    assert fetched == study.digests | corrected.digests
    assert fetched != study.digests
    assert (await world.standing(study))["instances"] == len(study.files)


async def test_a_correction_that_the_pointer_does_not_tell_makes_no_revision(
    world: World, tmp_path: Path
) -> None:
    study = world.a_study()
    await world.push(study)
    await world.report(study)
    await world.published(study)

    corrected = rewrite(study, tmp_path / "corrected", StationName="SALLE-2")
    await world.push(corrected)
    await world.settled()

    assert (await world.standing(study))["revision"] == 1
    assert await world.fetch(study) == study.digests | corrected.digests


async def test_who_reads_an_instance_while_it_is_replaced_gets_the_former_whole(
    world: World, tmp_path: Path
) -> None:
    study = world.a_study()
    former = rewrite(study, tmp_path / "former", pixels=1)
    latter = rewrite(study, tmp_path / "latter", pixels=2)
    await world.push(former)
    url = f"{world.url}/dicom-web/studies/{study.uid}"

    async with ClientSession() as session:
        async with session.get(url, headers={"Accept": AS_STORED}) as response:
            part = await anext(aiter(MultipartReader.from_response(response)))
            assert isinstance(part, BodyPartReader)
            read = await part.read_chunk(CHUNK_BYTES)
            await world.push(latter)
            while chunk := await part.read_chunk(CHUNK_BYTES):
                read += chunk
        async with session.get(url, headers={"Accept": AS_STORED}) as response:
            part = await anext(aiter(MultipartReader.from_response(response)))
            assert isinstance(part, BodyPartReader)
            read_later = await part.read()

    assert [digest_of(BytesIO(read))] == list(former.digests.values())
    assert [digest_of(BytesIO(read_later))] == list(latter.digests.values())


async def test_an_instance_that_comes_again_under_another_patient_sets_the_study_aside(
    world: World, tmp_path: Path
) -> None:
    study = world.a_study()
    stranger = make_patient(SEED, 90_002)
    await world.push(study)
    await world.report(study)
    await world.published(study)

    await world.push(rewrite(study, tmp_path / "strange", PatientID=stranger.local_id))
    await world.stands(study, "set_aside", "patient_differs")
    await world.withdrawn(study)
    await world.push(study)
    changed_back = await world.stands(study, "set_aside", "patient_changed")
    await world.report(a_report(study, version=2))
    await world.published(study, revision=changed_back["revision"] + 1)

    assert changed_back["pointer"] == "none"  # until a person has looked, nothing is out
    assert await world.fetch(study) == study.digests
