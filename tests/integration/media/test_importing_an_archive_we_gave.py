"""What leaves as an archive comes in again at another gateway, by its own reader of media."""

from pathlib import Path

from pydicom.uid import JPEG2000Lossless

from gateway.app.files import import_medium
from gateway.media.tally import Fate
from gateway.security.policy import OpenAccess
from gateway.settings import Settings
from tests.integration.media.conftest import Onlooker
from tests.support.gateway_stores import stores_in
from tests.support.retrieval import a_bench, a_slice
from tests.support.studies import INS, SERIES, STUDY, report_news


async def test_each_instance_of_an_archive_is_taken_in(
    settings: Settings, onlooker: Onlooker, tmp_path: Path
) -> None:
    medium = tmp_path / "images.zip"
    async with a_bench(tmp_path / "giver", OpenAccess()) as bench:
        await bench.push(a_slice(1))
        await bench.push(a_slice(2, SeriesInstanceUID=f"{SERIES}.9"), JPEG2000Lossless)
        await bench.stores.database.write(
            lambda tx: bench.stores.studies.report_received(tx, report_news(), now_ms=0)
        )
        async with bench.get(accept="application/zip") as response:
            medium.write_bytes(await response.read())

    await import_medium(settings, medium, onlooker)

    assert onlooker.of(Fate.FAILED) == {}
    assert onlooker.of(Fate.TAKEN).keys() == {
        "DICOM/SE000001/IM000001", "DICOM/SE000002/IM000002",
    }  # fmt: skip
    async with stores_in(settings.data_dir) as stores:
        snapshot = await stores.snapshot(STUDY)
        kept = [one.stored for one in snapshot.images if one.stored]
        assert {one.transfer_syntax for one in kept} > {JPEG2000Lossless}
        assert all(INS.value.encode() in stores.objects.path(one.key).read_bytes() for one in kept)
