"""What is withdrawn goes with all that was replaced, whichever gateway replaced it."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.files import export_pointers, import_medium
from gateway.model.act import ActKind
from gateway.model.report import Visibility
from gateway.publication.export import Wanted
from gateway.settings import Settings
from indexer.contract.document import Identifier, Submission
from indexer.contract.identifiers import Uid
from tests.support.failing_index import IndexInMemory
from tests.support.gateway_stores import stores_in
from tests.support.publishing import Bench, published

HIDDEN = frozenset({Visibility.HIDDEN_FROM_PATIENT})
OTHER_CENTRE = "1.2.250.1.999.77"


@pytest.fixture
async def archive(settings: Settings, index: IndexInMemory, onlooker, tmp_path: Path) -> Path:
    """What a gateway leaves whose pointer had replaced another."""
    async with stores_in(settings.data_dir) as stores:
        bench = Bench(stores, index)
        await published(bench)
        await bench.tell_report(message_digest="m2", visibility=HIDDEN)
        await bench.come_to_rest()
    await export_pointers(settings, tmp_path / "out.zip", Wanted(), onlooker)
    return tmp_path / "out.zip"


@pytest.mark.parametrize("replaces_first", [False, True])
async def test_what_the_gateway_before_had_replaced_is_taken_back_too(
    heir, archive, index, onlooker, replaces_first
):
    await import_medium(heir, archive, onlooker)
    index.held.append(of_another_centre(index.held[0]))

    async with stores_in(heir.data_dir) as stores:
        bench = Bench(stores, index)
        stores.clock.now_ms = 4_000_000_000_000  # after the import
        await bench.tell_instance()
        if replaces_first:
            await bench.tell_report(message_digest="m3", version=3)
            await bench.come_to_rest()
        await bench.act(ActKind.WITHDRAW)
        await bench.come_to_rest()

    stays = [one for one in index.held if not index.is_withdrawn(one)]
    assert [one.entry.local_patient.authority for one in stays] == [OTHER_CENTRE]
    assert len(index.withdrawn) == 2 + replaces_first


def of_another_centre(submission: Submission) -> Submission:
    """A former pointer to the same study, whose patient has a number of another centre."""
    local = Identifier(value="7", authority=OTHER_CENTRE)
    entry = replace(submission.entry, unique_id=Uid("2.25.4007"), local_patient=local)
    return replace(submission, entry=entry)
