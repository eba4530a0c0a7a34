"""The story of one study: it is made, told, published, found, fetched and compared."""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from aiohttp import ClientError

from simulators.demo.world import World
from simulators.imaging_centre.dimse import Unanswered
from simulators.imaging_centre.mllp import NotAcknowledged, send
from simulators.imaging_centre.modality import MadeInstance, NotStored, look_at, send_study
from simulators.imaging_centre.ris import build_message
from simulators.synthetic.examination import TIME_ZONE, Examination
from simulators.viewers.admissible import ADMISSIBLE
from simulators.viewers.index_search import (
    FoundDocument,
    UnexpectedAnswer,
    fetch_document,
    find_documents,
)
from simulators.viewers.manifest import UnreadableManifest, read_manifest
from simulators.viewers.scripted import ScriptedViewer, ViewedStudy

STUDY_WITHIN_S = 60.0
_POLL_EVERY_S = 0.005


class Whereabouts(StrEnum):
    """Where a study's images lie."""

    PACS = "PACS"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A study and the way that it goes."""

    examination: Examination
    """The act as the images tell it."""
    reported: Examination
    """The act as the report tells it: the same, but for a study that must be set aside."""
    files: tuple[Path, ...]
    images: Whereabouts
    report_first: bool = False
    set_aside_as: str = ""
    """Code under which the gateway must set the study aside; empty: it must be published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a case."""

    case: Case
    instances: int
    published: bool = False
    set_aside: bool = False
    findable_ms: int | None = None
    bytes_fetched: int = 0
    digests_equal: bool | None = None
    faults: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the case ended as it had to."""
        if self.case.set_aside_as:
            return self.set_aside and not self.published and not self.faults
        return self.published and self.digests_equal is True and not self.faults


async def tell_story(world: World, case: Case) -> Outcome:
    """Take a study all the way; what does not hold is in the outcome's faults."""
    made = look_at(case.files)
    to_list = frozenset(instance.uid for instance in made if instance.sop_class in ADMISSIBLE)
    outcome = Outcome(case=case, instances=len(to_list))
    step = "being told"
    try:
        async with asyncio.timeout(STUDY_WITHIN_S):
            told_ms = await _tell(world, case)
            if case.set_aside_as:
                return outcome
            step = "being published"
            found_ms = await _wait_for_pointer(world, case, to_list)
            step = "being fetched"
            outcome = replace(outcome, published=True, findable_ms=max(0, found_ms - told_ms))
            return _compare(outcome, made, to_list, await _view(world, case.reported))
    except TimeoutError:
        fault = f"took more than {STUDY_WITHIN_S:.0f} s {step}"
    except ClientError as error:
        fault = f"a program does not answer while {step} ({type(error).__name__})"
    except (Unanswered, NotStored, NotAcknowledged, UnexpectedAnswer, UnreadableManifest) as error:
        fault = f"while {step}: {error}"
    return replace(outcome, faults=(fault,))


async def check_set_aside(world: World, outcome: Outcome) -> Outcome:
    """Look whether a study that must not be published is listed for a person, and only there."""
    case, faults = outcome.case, list(outcome.faults)
    try:
        async with asyncio.timeout(STUDY_WITHIN_S):
            code = await _wait_for_code(world, case)
        published = [
            *await _find_pointers(world, case.reported),
            *await _find_pointers(world, case.examination),
        ]
    except TimeoutError:
        return replace(outcome, faults=(*faults, "was not set aside in time"))
    except (ClientError, UnexpectedAnswer) as error:
        return replace(outcome, faults=(*faults, f"could not be looked for: {error}"))
    if code != case.set_aside_as:
        faults.append(f"was set aside as {code}, not as {case.set_aside_as}")
    if published:
        faults.append("is in the index all the same")
    return replace(outcome, set_aside=True, published=bool(published), faults=tuple(faults))


async def _tell(world: World, case: Case) -> int:
    """Have the centre do its part; give the epoch milliseconds of the last acknowledgement."""
    if case.report_first:
        await _send_report(world, case)
        return await _send_images(world, case)
    await _send_images(world, case)
    return await _send_report(world, case)


async def _send_report(world: World, case: Case) -> int:
    report = build_message(case.reported, sent_at=datetime.now(TIME_ZONE))
    await send(report, world.gateway.host, world.ports.mllp)
    return _now_ms()


async def _send_images(world: World, case: Case) -> int:
    if case.images is Whereabouts.GATEWAY:
        await asyncio.to_thread(send_study, case.files, world.gateway)
        return _now_ms()
    notification = world.notification(case.examination.study_uid)
    await asyncio.to_thread(send_study, case.files, world.centre)
    return await notification


async def _wait_for_pointer(world: World, case: Case, to_list: frozenset[str]) -> int:
    """Give the epoch milliseconds at which the pointer to the whole study could be found.

    A study whose report came first may be published while its images still come, and again when
    they are all there: a pointer to a part of it is not yet the one to wait for.
    """
    while True:
        documents = await _find_pointers(world, case.reported)
        found_ms = _now_ms()
        for document in documents:
            manifest = read_manifest(await fetch_document(world.session, document))
            if not manifest.listed < to_list:
                return found_ms
        await asyncio.sleep(_POLL_EVERY_S)


async def _find_pointers(world: World, examination: Examination) -> list[FoundDocument]:
    patient = examination.patient
    documents = await find_documents(
        world.session, world.index_url, ins=patient.ins, oid=patient.ins_oid
    )
    return [document for document in documents if examination.study_uid in document.references]


async def _view(world: World, examination: Examination) -> ViewedStudy:
    viewer = ScriptedViewer(world.session, gateway_url=world.gateway_url, index_url=world.index_url)
    patient = examination.patient
    studies = await viewer.view(ins=patient.ins, oid=patient.ins_oid)
    mine = [study for study in studies if study.study_uid == examination.study_uid]
    if len(mine) != 1:
        raise UnexpectedAnswer(f"{len(mine)} pointers lead to the study")
    return mine[0]


def _compare(
    outcome: Outcome, made: list[MadeInstance], to_list: frozenset[str], viewed: ViewedStudy
) -> Outcome:
    faults = list(viewed.faults)
    if viewed.listed != to_list:
        faults.append("the manifest does not list what the modality made")
    digests = {instance.uid: instance.digest for instance in made}
    if not viewed.digests.items() <= digests.items():
        faults.append("instances came that the modality did not make so")
    listed = {uid: digest for uid, digest in digests.items() if uid in to_list}
    return replace(
        outcome,
        bytes_fetched=viewed.bytes_fetched,
        digests_equal=listed.items() <= viewed.digests.items() <= digests.items(),
        faults=tuple(faults),
    )


async def _wait_for_code(world: World, case: Case) -> str:
    while True:
        async with world.session.get(f"{world.gateway_url}/api/set-aside") as response:
            if response.status != 200:
                raise UnexpectedAnswer(f"/api/set-aside was answered {response.status}")
            listed = await response.json()
        for entry in listed["set_aside"]:
            if entry["study_uid"] == case.examination.study_uid:
                return str(entry["code"])
        await asyncio.sleep(_POLL_EVERY_S)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
