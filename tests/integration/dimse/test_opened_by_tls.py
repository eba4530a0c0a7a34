"""What the gateway opens to a peer that is reached by TLS: queries, moves, and results."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

import pytest
from pydicom import Dataset

from gateway.dimse.event_reports import try_listener
from gateway.dimse.requesting import Listener
from gateway.dimse.requestor import PacsRequestor
from gateway.dimse.scu import PacsTimeouts, QueryLevel
from gateway.dimse.turns import PacsThreads
from gateway.errors import PacsUnreachable, Unavailable
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid
from simulators.imaging_centre.commitment import PUSH_MODEL, CommitmentAsker
from tests.integration.dimse.pacs import Pacs, an_instance
from tests.support.certificates import Centre

HOST = "127.0.0.1"
STUDY = Uid("1.2.3")
TIMEOUTS = PacsTimeouts(connect_s=2, association_s=2, answer_s=5)

Opens = Callable[[Centre], ssl.SSLContext | None]


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Centre:
    return Centre(tmp_path_factory.mktemp("centre"))


@contextmanager
def asking(
    pacs: Pacs, centre: Centre, listens: ssl.SSLContext | None = None
) -> Iterator[PacsRequestor]:
    """Who asks a PACS that listens by TLS, as one that is certified by the centre if not told."""
    with pacs.running(tls=listens or centre.listens(centre.modality)), PacsThreads(1) as threads:
        yield PacsRequestor(
            Listener(host=HOST, port=pacs.port, tls=centre.opens()),
            called_ae="PACS",
            calling_ae="DRIMBOX",
            turns=threads.turns(associations_max=1),
            timeouts=TIMEOUTS,
        )


async def found(asked: PacsRequestor) -> list[Dataset]:
    keys = {"StudyInstanceUID": str(STUDY)}
    return await asked.converse(lambda find: find(keys, level=QueryLevel.STUDY, answers_max=500))


async def test_a_pacs_is_queried_by_tls_to_its_last_answer(centre: Centre) -> None:
    # Many answers in one record of TLS: more is there to read than the socket tells of.
    pacs = Pacs(instances=[an_instance(number) for number in range(300)])

    with asking(pacs, centre) as asked:
        assert len(await found(asked)) == 300


async def test_a_pacs_is_asked_to_move_by_tls(centre: Centre) -> None:
    pacs = Pacs()

    with asking(pacs, centre) as asked:
        outcome = await asked.move(Resource(study=STUDY), destination_ae="DRIMBOX", message_id=1)

    assert (outcome.status, len(pacs.asked)) == (0, 1)


@pytest.mark.parametrize("who", ["stranger", "expired"])
async def test_nothing_is_asked_of_who_is_not_certified_by_the_centre(
    centre: Centre, who: str
) -> None:
    pacs = Pacs()
    listens = centre.listens(getattr(centre, who))

    with asking(pacs, centre, listens) as asked, pytest.raises(PacsUnreachable):
        await found(asked)

    assert pacs.associations == 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_nothing_is_asked_by_a_version_before_1_2(centre: Centre) -> None:
    old = centre.listens(centre.modality)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")

    with asking(Pacs(), centre, old) as asked, pytest.raises(PacsUnreachable):
        await found(asked)


async def test_a_query_by_tls_that_is_cancelled_frees_its_turn(centre: Centre) -> None:
    held = Event()
    pacs = Pacs(waits=held, instances=[an_instance(1)])

    with asking(pacs, centre) as asked:
        cancelled = asyncio.create_task(found(asked))
        await asyncio.to_thread(pacs.is_asked.wait, 10)
        cancelled.cancel()
        held.set()

        assert len(await found(asked)) == 1


@contextmanager
def listening(tls: ssl.SSLContext) -> Iterator[int]:
    """Who asks for storage commitment."""
    asker = CommitmentAsker("MODALITE")
    try:
        yield asker.start(HOST, 0, tls=tls)
    finally:
        asker.close()


async def tried(port: int, tls: ssl.SSLContext | None) -> None:
    to = Listener(host=HOST, port=port, tls=tls)
    await try_listener(to, PUSH_MODEL, calling_ae="DRIMBOX", called_ae="MODALITE")


async def test_results_are_told_by_tls(centre: Centre) -> None:
    with listening(centre.listens(centre.modality)) as port:
        await tried(port, centre.opens())


@pytest.mark.parametrize(
    "opens, why",
    [
        (lambda _centre: None, "refuses the association, or breaks it off"),
        (Centre.opens, "come to terms by TLS"),
    ],
    ids=["without TLS", "to a stranger"],
)
async def test_results_are_told_to_nobody_else(centre: Centre, opens: Opens, why: str) -> None:
    stranger = centre.listens(centre.stranger)

    with listening(stranger) as port, pytest.raises(Unavailable, match=why):
        await tried(port, opens(centre))
