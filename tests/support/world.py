"""A centre, its gateway and an index as real programs that a test may kill and start again.

The PACS runs in the test's own process, on a socket as the others. Ports and folders stay the same
from one start of a program to the next.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import ClientSession, ClientTimeout

from simulators.imaging_centre.archive import Archive
from simulators.imaging_centre.commitment import CommitmentAsker, Committed
from simulators.imaging_centre.dimse import DicomAddress
from simulators.imaging_centre.mllp import Message, send
from simulators.imaging_centre.modality import look_at, send_study
from simulators.imaging_centre.notifier import Notifier
from simulators.imaging_centre.pacs import Pacs
from simulators.imaging_centre.rejection import save_rejection_note
from simulators.imaging_centre.ris import build_message
from simulators.imaging_centre.steps import COMPLETED, begin_step, end_step
from simulators.synthetic.examination import Examination, make_examination
from simulators.synthetic.identity import ACCESSION_ISSUER, PATIENT_ID_ISSUER, Patient
from simulators.synthetic.studies import save_study
from simulators.viewers.scripted import ScriptedViewer
from tests.support.entries import Entry, find_entries
from tests.support.ports import free_port
from tests.support.program import HOST, POLL_EVERY_S, Program
from tests.support.programs import AT_NO_NIGHT, serving

T = TypeVar("T")
Row = dict[str, Any]

WITHIN_S = 30.0
"""How long anything that must come may take; two busy cores are no failure."""

SEED = 11
MODALITY = "MODALITE"
"""AE title of whoever makes images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """An examination with the files that its modality made."""

    examination: Examination
    files: tuple[Path, ...]

    @property
    def uid(self) -> str:
        """The Study Instance UID."""
        return self.examination.study_uid

    @property
    def digests(self) -> dict[str, str]:
        """Digest of each instance by its SOP Instance UID."""
        return {made.uid: made.digest for made in look_at(self.files)}


class World:
    """The programs, their addresses, and what the outside world does with them.

    The gateway reaches index and PACS by doors: ports at which a test may put a proxy. Without
    doors it reaches them directly.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        *,
        with_doors: bool,
        pacs: Mapping[str, object],
    ) -> None:
        self._folder = folder
        self._numbers = self._notes = 0
        self.http_port, self.dicom_port, self.mllp_port = free_port(), free_port(), free_port()
        self.index_port, self.pacs_port, self.modality_port = free_port(), free_port(), free_port()
        self.index_door = free_port() if with_doors else self.index_port
        self.pacs_door = free_port() if with_doors else self.pacs_port
        self.url = f"http://{HOST}:{self.http_port}"
        self.index_url = f"http://{HOST}:{self.index_port}"
        self.data_dir, self.index_dir = folder / "gateway", folder / "index"
        self.told: set[str] = set()
        archive = self._archive = Archive(folder / "pacs")
        notifier = Notifier(
            "PACS",
            self.gateway_address,
            instances_of=archive.study,
            told=lambda study_uid, _at_ms: self.told.add(study_uid),
            quiet_s=0.05,
        )
        destinations = {"DRIMBOX": self.gateway_address}
        self.pacs = Pacs("PACS", archive, destinations=destinations, notifier=notifier)
        self.index = Program(
            serving("indexer.server"),
            {
                "INDEX_HTTP_PORT": str(self.index_port),
                "INDEX_DATA_DIR": str(self.index_dir),
            },
            port=self.index_port,
            log=folder / "index.log",
        )
        gateway = self._settings_of_gateway(pacs)
        self.gateway = Program(
            serving("gateway"),
            {**gateway, **settings},
            port=self.http_port,
            log=folder / "gateway.log",
        )

    def _settings_of_gateway(self, of_pacs: Mapping[str, object]) -> dict[str, str]:
        pacs = {
            "ae_title": "PACS",
            "host": HOST,
            "port": self.pacs_door,
            "patient_id_issuer": PATIENT_ID_ISSUER,
            "accession_issuer": ACCESSION_ISSUER,
            **of_pacs,
        }
        modality = {"ae_title": MODALITY, "host": HOST, "port": self.modality_port}
        return {
            "GATEWAY_DATA_DIR": str(self.data_dir),
            "GATEWAY_HTTP_PORT": str(self.http_port),
            "GATEWAY_DICOM_PORT": str(self.dicom_port),
            "GATEWAY_MLLP_PORT": str(self.mllp_port),
            "GATEWAY_INDEX_URL": f"http://{HOST}:{self.index_door}",
            # Longer than two busy cores leave between two images of one push.
            "GATEWAY_STUDY_SETTLE_S": "1",
            **AT_NO_NIGHT,
            "GATEWAY_ORGANISATION_ID": "1990000127",
            "GATEWAY_PACS": json.dumps([pacs]),
            "GATEWAY_COMMITMENT_PEERS": json.dumps([modality]),
        }

    @property
    def gateway_address(self) -> DicomAddress:
        """Where the gateway takes associations."""
        return DicomAddress("DRIMBOX", HOST, self.dicom_port)

    @property
    def pacs_address(self) -> DicomAddress:
        """Where the PACS takes associations."""
        return DicomAddress("PACS", HOST, self.pacs_port)

    def a_study(self, modality: str = "CR") -> Study:
        """A study, and a patient, that this world has not seen before."""
        self._numbers += 1
        examination = make_examination(SEED, self._numbers, modality)
        return self.images_of(examination)

    def images_of(self, examination: Examination, name: str = "made") -> Study:
        """The images of an examination as files."""
        folder = self._folder / "studies" / f"{examination.study_id}-{name}"
        return Study(examination=examination, files=save_study(examination, folder))

    async def push(
        self, study: Study, files: Sequence[Path] | None = None, *, port: int | None = None
    ) -> None:
        """Send the images to the gateway by C-STORE; returns once all are acknowledged.

        Args:
            port: of a proxy before the gateway.
        """
        to = DicomAddress("DRIMBOX", HOST, port or self.dicom_port)
        await asyncio.to_thread(send_study, files or study.files, to)

    async def archive(self, study: Study) -> None:
        """Send the images to the PACS; returns once the gateway has acknowledged its IAN."""
        await asyncio.to_thread(send_study, study.files, self.pacs_address)
        await until(lambda: _now(study.uid in self.told))

    def keep(self, study: Study) -> None:
        """Have the PACS hold the images without a word to the gateway."""
        for path in study.files:
            self._archive.store(path.read_bytes())

    def lose(self, study: Study, files: Sequence[Path] | None = None) -> None:
        """Have the PACS no longer hold these, or all of the study, without a word of it."""
        self._archive.remove(study.uid, _uids_of(files))

    async def report(self, report: Study | Message, *, port: int | None = None) -> None:
        """Send a report, that of the study as it is or one made before, and have its AA.

        Args:
            port: of a proxy before the gateway.
        """
        if isinstance(report, Study):
            report = build_message(report.examination, sent_at=report.examination.started_at)
        await send(report, HOST, port or self.mllp_port)

    async def tell(self, message: Message) -> None:
        """Send any other message, an order or a word on a patient, and have its AA."""
        await send(message, HOST, self.mllp_port)

    async def reject(
        self, study: Study, files: Sequence[Path] | None = None, *, code: str = "113001"
    ) -> None:
        """Send the gateway a rejection note on these instances, or on all of the study."""
        self._notes += 1
        note = self._folder / f"note-{self._notes}.dcm"
        save_rejection_note(files or study.files, code, note)
        await asyncio.to_thread(send_study, [note], self.gateway_address, ae_title="PACS")

    async def perform(self, study: Study, *, status: str = COMPLETED) -> None:
        """Tell the gateway by MPPS that the examination began, and that it is over."""
        examination, to = study.examination, self.gateway_address
        step = await asyncio.to_thread(begin_step, examination, to)
        made = look_at(study.files)
        await asyncio.to_thread(end_step, step, examination, made, to, status=status)

    async def commit(self, study: Study, *, stay_s: float | None = None) -> Committed:
        """Ask the gateway to commit itself to the images; what it says.

        Args:
            stay_s: how long the association waits for it; None has the gateway open another.
        """
        asker = CommitmentAsker(MODALITY)
        asker.start(HOST, self.modality_port)
        try:
            made, to = look_at(study.files), self.gateway_address
            await asyncio.to_thread(asker.ask, made, to, stay_s=stay_s)
            return await asyncio.to_thread(asker.outcome, within_s=WITHIN_S)
        finally:
            asker.close()

    async def delete(self, study: Study, files: Sequence[Path] | None = None) -> None:
        """Delete these instances, or all of the study, in the PACS; the gateway has its IAN."""
        self.told.discard(study.uid)
        self.pacs.delete(study.uid, _uids_of(files))
        await until(lambda: _now(study.uid in self.told))

    async def correct(self, study: Study, **values: str) -> None:
        """Write other values into the study in the PACS; the gateway has its IAN.

        Args:
            values: by the keyword of their attribute.
        """
        self.told.discard(study.uid)
        self.pacs.correct(study.uid, **values)
        await until(lambda: _now(study.uid in self.told))

    async def get(self, path: str) -> Any:
        """What the gateway answers in JSON."""
        async with self._session() as session, session.get(path) as response:
            assert response.status == 200, f"{path} was answered {response.status}"
            return await response.json()

    async def status(self, path: str) -> int:
        """The status by which the gateway answers a GET."""
        async with self._session() as session, session.get(path) as response:
            return response.status

    async def decide(self, path: str) -> None:
        """A person does what this path is for, and says why."""
        told = {"reason": "images of another patient"}
        async with self._session() as session, session.post(path, json=told) as response:
            assert response.status == 200, f"{path} was answered {response.status}"

    def _session(self) -> ClientSession:
        return ClientSession(self.url, timeout=ClientTimeout(total=WITHIN_S))

    async def standing(self, study: Study) -> Row:
        """Where the gateway says that the study stands; empty if it does not know it."""
        listed = (await self.get("/api/studies?limit=1000"))["studies"]
        return next((row for row in listed if row["study_uid"] == study.uid), {})

    async def stands(self, study: Study, state: str, code: str = "") -> Row:
        """Wait until the study stands so, and give all that is told of it."""
        return await self._comes_to(
            study, lambda row: (row.get("state"), row.get("code")) == (state, code)
        )

    async def published(self, study: Study, revision: int = 1) -> None:
        """Wait until the gateway has published this revision, and nothing more is to be sent."""
        await self._comes_to(
            study, lambda row: (row.get("state"), row.get("revision")) == ("published", revision)
        )

    async def pointer(self, study: Study, patient: Patient | None = None) -> Entry | None:
        """The current entry for the study under its patient, or under another; None if none is."""
        listed = await self.entries(patient or study.examination.patient)
        mine = [one for one in listed if one.status == "current" and study.uid in one.references]
        assert len(mine) < 2, "the index has two current entries for one study"
        return mine[0] if mine else None

    async def withdrawn(self, study: Study, patient: Patient | None = None) -> Row:
        """Wait until the index gives no entry for the study and the gateway knows it; its row.

        Args:
            patient: under whom it was published, if that is not the study's.
        """

        async def ask() -> Row | None:
            row = await self.standing(study)
            if row.get("pointer") != "none" or await self.pointer(study, patient) is not None:
                return None
            return row

        return await until(ask, told=lambda: self.standing(study))

    async def is_at(self, study: Study, revision: int) -> None:
        """Wait until the gateway has decided on this revision, whatever becomes of it."""
        await self._comes_to(study, lambda row: row.get("revision") == revision)

    async def _comes_to(self, study: Study, holds: Callable[[Row], bool]) -> Row:
        async def ask() -> Row | None:
            row = await self.standing(study)
            return row if holds(row) else None

        return await until(ask, told=lambda: self.standing(study))

    async def settled(self) -> None:
        """Wait until what was told before has been looked at: a study told later is published."""
        later = self.a_study()
        await self.push(later)
        await self.report(later)
        await self.published(later)

    async def submissions(self, study: Study) -> list[Row]:
        """What the gateway has, or had, to tell the index of the study; oldest revision first."""
        listed = (await self.get("/api/submissions?limit=1000"))["submissions"]
        mine = [row for row in listed if row["study_uid"] == study.uid]
        return sorted(mine, key=lambda row: int(row["revision"]))

    async def entries(self, patient: Patient) -> list[Entry]:
        """All of the patient's entries in the index that were not withdrawn."""
        return await find_entries(self.index_url, patient, within_s=WITHIN_S)

    async def fetch(self, study: Study) -> dict[str, str]:
        """Digests of what a viewer that knows the INS alone gets of the study, by instance."""
        patient = study.examination.patient
        async with ClientSession(timeout=ClientTimeout(total=WITHIN_S)) as session:
            viewer = ScriptedViewer(session, gateway_url=self.url, index_url=self.index_url)
            viewed = await viewer.view(ins=patient.ins, oid=patient.ins_oid)
        [mine] = [one for one in viewed if one.study_uid == study.uid]
        assert mine.faults == ()
        assert mine.listed == mine.digests.keys()
        return dict(mine.digests)


@contextmanager
def a_world(
    folder: Path,
    *,
    with_doors: bool = False,
    settings: Mapping[str, str] | None = None,
    pacs: Mapping[str, object] | None = None,
) -> Iterator[World]:
    """A world at work; all of it is ended on leaving.

    Args:
        settings: of the gateway, that are not the usual ones.
        pacs: what the gateway is told of the PACS that is not usual, by the keys of GATEWAY_PACS.
    """
    world = World(folder, settings or {}, with_doors=with_doors, pacs=pacs or {})
    world.pacs.start(HOST, world.pacs_port)
    try:
        world.index.start()
        world.gateway.start()
        yield world
    finally:
        world.gateway.close()
        world.index.close()
        world.pacs.close()


async def until(
    ask: Callable[[], Awaitable[T | None]],
    *,
    within_s: float = WITHIN_S,
    every_s: float = POLL_EVERY_S,
    told: Callable[[], Awaitable[object]] | None = None,
) -> T:
    """What `ask` gives as soon as that is something.

    Args:
        told: what to show if it never is.
    """
    given_up_at = time.monotonic() + within_s
    while not (found := await ask()):
        if time.monotonic() > given_up_at:
            shown = await told() if told is not None else "nothing"
            raise AssertionError(f"not within {within_s} s; last seen: {shown}")
        await asyncio.sleep(every_s)
    return found


def _uids_of(files: Sequence[Path] | None) -> frozenset[str] | None:
    return None if files is None else frozenset(made.uid for made in look_at(files))


async def _now(value: T) -> T:
    return value
