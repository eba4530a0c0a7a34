"""A centre of PACS that answer as a test says, and the gateway's directory of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset

from gateway.catalogue.classes import ClassLearner
from gateway.catalogue.pacs import Pacs, PacsDirectory
from gateway.dimse.move_mediator import MoveMediator
from gateway.dimse.requesting import Listener
from gateway.dimse.requestor import PacsRequestor
from gateway.dimse.turns import WAIT_S_MAX, PacsThreads
from gateway.model.image import ImageDescription
from gateway.model.notification import PacsAnswered
from gateway.retrieval.sources.pull import MovePuller
from indexer.contract.identifiers import Uid
from tests.integration.dimse import pacs as peers
from tests.support import studies as known

STUDY = known.STUDY
LOCAL_ID = known.LOCAL_ID.value
ASSOCIATIONS_MAX = 4


def a_data_set(**values: object) -> Dataset:
    ds = Dataset()
    for keyword, value in {"SpecificCharacterSet": "ISO_IR 100", **values}.items():
        setattr(ds, keyword, value)
    return ds


def a_study(**values: object) -> Dataset:
    return a_data_set(**{"StudyInstanceUID": STUDY, "PatientID": LOCAL_ID, **values})


def a_series(number: int = 1, **values: object) -> Dataset:
    return a_data_set(**{"SeriesInstanceUID": f"{STUDY}.{number}", "Modality": "CT", **values})


def an_image(number: object = 1, **values: object) -> Dataset:
    named = {
        "SOPInstanceUID": f"{STUDY}.0.{number}",
        "SOPClassUID": known.CT,
        "InstanceNumber": number,
    }
    return a_data_set(**{**named, **values})


@dataclass
class Holdings:
    """What a PACS answers at each level; every series is told to hold the same images."""

    studies: Sequence[Dataset] = field(default_factory=lambda: [a_study()])
    series: Sequence[Dataset] = field(default_factory=lambda: [a_series()])
    images: Sequence[Dataset] = field(default_factory=lambda: [an_image()])

    def answers(self, identifier: Dataset) -> Sequence[Dataset]:
        level = identifier.QueryRetrieveLevel
        return {"STUDY": self.studies, "SERIES": self.series, "IMAGE": self.images}[level]


@dataclass
class HeldClock:
    """Time passes when it is told to."""

    now_ms: int = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Centre:
    """The PACS of a centre, and how they are asked."""

    peers: list[peers.Pacs]
    directory: PacsDirectory
    clock: HeldClock

    async def describe(self) -> PacsAnswered:
        return await self.directory.describe(STUDY, asked_after=7)

    async def images(self) -> list[ImageDescription]:
        return [held.image for held in (await self.describe()).held]


async def knows_nothing(study: Uid) -> dict[str, str]:
    return {}


@contextmanager
def a_centre(
    *holdings: Holdings,
    models: Sequence[str] = (*peers.ECHO, *peers.STUDY_ROOT),
    wait_s_max: float = WAIT_S_MAX,
) -> Iterator[Centre]:
    """PACS by the names of PACS1, PACS2 and so on."""
    clock = HeldClock()
    mediator = MoveMediator(ae_title="DRIMBOX")
    running: list[peers.Pacs] = []
    directory: list[Pacs] = []
    with (
        PacsThreads(4, wait_s_max=wait_s_max) as threads,
        _all_running(holdings, models, running),
    ):
        for number, peer in enumerate(running, start=1):
            requestor = PacsRequestor(
                Listener(host="127.0.0.1", port=peer.port),
                called_ae=f"PACS{number}",
                calling_ae="DRIMBOX",
                turns=threads.turns(associations_max=ASSOCIATIONS_MAX),
            )
            learner = ClassLearner(MovePuller(mediator, requestor), knows_nothing)
            directory.append(Pacs(requestor=requestor, learner=learner))
        yield Centre(running, PacsDirectory(directory, clock=clock), clock)


@contextmanager
def _all_running(
    holdings: Sequence[Holdings], models: Sequence[str], running: list[peers.Pacs]
) -> Iterator[None]:
    if len(running) == len(holdings):
        yield
        return
    answers = holdings[len(running)].answers
    with peers.Pacs(answers=answers, models=models).running() as peer:
        running.append(peer)
        with _all_running(holdings, models, running):
            yield
