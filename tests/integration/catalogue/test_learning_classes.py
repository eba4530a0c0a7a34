"""A PACS that does not tell SOP classes is asked to send, once, what is not known yet."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydicom import Dataset

from gateway.catalogue.classes import ClassLearner
from gateway.catalogue.pacs import Pacs, PacsDirectory
from gateway.dimse.move_mediator import MoveMediator
from gateway.dimse.negotiation import STORAGE
from gateway.dimse.receiving import Spooling
from gateway.dimse.requesting import Listener
from gateway.dimse.requestor import PacsRequestor, fits_one_get
from gateway.dimse.scu import MoveOutcome
from gateway.dimse.turns import Lane, PacsThreads
from gateway.errors import PacsAnswerUnreadable, PacsUnavailable
from gateway.model.resource import Resource
from gateway.retrieval.sources.get import CLASSES_TOGETHER, ClassSeeker
from gateway.retrieval.sources.pull import MovePuller
from indexer.contract.identifiers import Uid
from tests.integration.dimse import pacs as peers
from tests.integration.dimse.conftest import Receiver

STUDY = Uid("1.2.3")
SERIES = "1.2.3.4"


class NotingRequestor(PacsRequestor):
    """Notes in which lane it is asked to move."""

    lanes: list[Lane]

    async def move(self, wanted: Resource, **told: Any) -> MoveOutcome:
        self.lanes = [*getattr(self, "lanes", []), told["lane"]]
        return await super().move(wanted, **told)


@dataclass
class Centre:
    """A PACS that leaves classes out, its gateway, and what that knows."""

    pacs: peers.Pacs
    requestor: NotingRequestor
    receiver: Receiver
    directory: PacsDirectory
    known: dict[str, str] = field(default_factory=dict)

    async def classes(self) -> dict[str, str]:
        """SOP class by instance, as the gateway describes them."""
        answered = await self.directory.describe(STUDY, asked_after=0)
        return {held.image.instance: held.image.sop_class for held in answered.held}

    @property
    def moves(self) -> int:
        return sum(is_move(one) for one in self.pacs.asked)


def is_move(asked: Dataset) -> bool:
    """Whether it is the identifier of a C-MOVE: a query asks for more than it names."""
    return not any(element.is_empty for element in asked)


def told(asked: Dataset) -> list[Dataset]:
    """What the PACS answers to a C-FIND."""
    answer = Dataset()
    if asked.QueryRetrieveLevel == "STUDY":
        answer.StudyInstanceUID = STUDY
        return [answer]
    if asked.QueryRetrieveLevel == "SERIES":
        answer.SeriesInstanceUID = SERIES
        return [answer]
    images = []
    for number in (1, 2):
        image = Dataset()
        image.SOPInstanceUID = f"{SERIES}.{number}"
        images.append(image)
    return images


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    receiver = Receiver(tmp_path / "spool")
    receiver.folder.mkdir()
    pacs = peers.Pacs(instances=[peers.an_instance(n) for n in (1, 2)], answers=told)
    mediator = MoveMediator(ae_title="DRIMBOX")
    known: dict[str, str] = {}

    async def known_classes(study: Uid) -> dict[str, str]:
        return known

    async def store(request) -> int:
        status = await mediator.offer(request)
        return await receiver.store(request) if status is None else status

    with pacs.running(), PacsThreads(4) as threads:
        pacs.destination_port = await receiver.listen(store=store)
        requestor = NotingRequestor(
            Listener(host="127.0.0.1", port=pacs.port),
            called_ae="PACS",
            calling_ae="DRIMBOX",
            turns=threads.turns(),
        )
        learner = ClassLearner(MovePuller(mediator, requestor), known_classes)
        directory = PacsDirectory([Pacs(requestor=requestor, learner=learner)])
        yield Centre(pacs, requestor, receiver, directory, known)
        for server in receiver.servers:
            await server.close(grace_s=0)


async def test_a_class_that_the_pacs_does_not_tell_is_that_of_what_it_sends(
    centre: Centre,
) -> None:
    classes = await centre.classes()

    assert classes == {f"{SERIES}.1": peers.CT, f"{SERIES}.2": peers.CT}
    assert (centre.receiver.stored, centre.receiver.spooled()) == ([], [])


async def test_viewers_are_let_before_what_is_learned(centre: Centre) -> None:
    await centre.classes()

    assert centre.requestor.lanes == [Lane.LEARNER]


async def test_what_is_known_is_not_asked_for_again(centre: Centre) -> None:
    centre.known |= {f"{SERIES}.1": peers.CT, f"{SERIES}.2": "1.2.9"}

    classes = await centre.classes()

    assert classes == centre.known
    assert centre.moves == 0


async def test_an_instance_that_the_pacs_tells_of_and_does_not_send_cannot_be_described(
    centre: Centre,
) -> None:
    centre.pacs.instances.pop()

    with pytest.raises(PacsAnswerUnreadable, match="SOPClassUID is absent"):
        await centre.classes()

    assert centre.moves == 1


async def test_a_pacs_that_cannot_send_is_asked_again_later(centre: Centre) -> None:
    centre.pacs.destination_port = 1

    with pytest.raises(PacsUnavailable):
        await centre.classes()


RARE = CLASSES_TOGETHER[-1][-1]
FINDS = (*peers.ECHO, peers.STUDY_ROOT[0])
BY_GET = (*FINDS, *peers.STUDY_ROOT_GET)


@asynccontextmanager
async def by_get(
    folder: Path,
    *,
    holds: Sequence[str],
    gives: Sequence[str],
    tells: int | None = None,
    models: Sequence[str] = BY_GET,
) -> AsyncIterator[tuple[PacsDirectory, list[Path]]]:
    """A PACS that leaves classes out, sends on the association that asks, and moves nothing.

    Args:
        holds: classes of its instances.
        gives: those that it sends.
        tells: of how many instances, if not of those.

    Yields:
        who asks it, and where each instance was written that came.
    """
    folder.mkdir()

    def answers(asked: Dataset) -> list[Dataset]:
        if asked.QueryRetrieveLevel != "IMAGE":
            return told(asked)
        images = [Dataset() for _ in range(tells or len(holds))]
        for number, image in enumerate(images, start=1):
            image.SOPInstanceUID = f"{SERIES}.{number}"
        return images

    instances = [peers.an_instance(n, sop_class=one) for n, one in enumerate(holds, start=1)]
    pacs = peers.Pacs(instances=instances, answers=answers, models=models, gives=gives)
    with pacs.running(), PacsThreads(4) as threads:
        requestor = PacsRequestor(
            Listener(host="127.0.0.1", port=pacs.port),
            called_ae="PACS",
            calling_ae="DRIMBOX",
            turns=threads.turns(),
        )
        came: list[Path] = []

        def new_path() -> Path:
            came.append(folder / uuid4().hex)
            return came[-1]

        seeker = ClassSeeker(requestor, Spooling(new_path, threads.executor))
        learner = ClassLearner(seeker, knows_nothing)
        yield PacsDirectory([Pacs(requestor=requestor, learner=learner)]), came
        assert list(folder.iterdir()) == []


async def knows_nothing(_study: Uid) -> dict[str, str]:
    return {}


async def learned(directory: PacsDirectory) -> dict[str, str]:
    answered = await directory.describe(STUDY, asked_after=0)
    return {held.image.instance: held.image.sop_class for held in answered.held}


async def test_a_pacs_that_is_pulled_from_by_c_get_is_asked_so(tmp_path: Path) -> None:
    holds = [peers.CT, peers.CT]
    async with by_get(tmp_path / "spool", holds=holds, gives=[peers.CT]) as (directory, came):
        classes = await learned(directory)

        assert classes == {f"{SERIES}.1": peers.CT, f"{SERIES}.2": peers.CT}
        assert len(came) == 2


async def test_rare_classes_are_found_among_all_and_nothing_comes_twice(tmp_path: Path) -> None:
    holds = [peers.CT, RARE, peers.CT]
    gives = [peers.CT, RARE]
    async with by_get(tmp_path / "spool", holds=holds, gives=gives) as (directory, came):
        classes = await learned(directory)

        assert list(classes.values()) == holds
        assert len(came) == len(holds)


async def test_what_it_never_sends_cannot_be_described(tmp_path: Path) -> None:
    holds = [peers.CT]
    async with by_get(tmp_path / "spool", holds=holds, gives=[peers.CT], tells=2) as (directory, _):
        with pytest.raises(PacsAnswerUnreadable, match="SOPClassUID is absent"):
            await learned(directory)


async def test_a_pacs_that_takes_no_c_get_is_asked_again_later(tmp_path: Path) -> None:
    async with by_get(tmp_path / "spool", holds=[peers.CT], gives=[], models=FINDS) as (
        directory,
        _,
    ):
        with pytest.raises(PacsUnavailable):
            await learned(directory)


def test_every_class_that_is_taken_has_its_turn_and_fits() -> None:
    asked = [one for together in CLASSES_TOGETHER for one in together]

    assert sorted(asked) == sorted(STORAGE)
    assert all(fits_one_get(together) for together in CLASSES_TOGETHER)
