"""Puts together what goes in and out in files, while no gateway is at work in the data folder."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from gateway.app.parts import Parts, milliseconds, open_parts
from gateway.app.program import choose_policy
from gateway.clock import system_clock
from gateway.errors import InvalidRequest, NotFound, StorageUnavailable
from gateway.intake.assembler import Assembler
from gateway.intake.instances import InstanceIntake
from gateway.intake.media_door import MediaDoor
from gateway.media.journal import ImportJournal
from gateway.media.survey import Survey, look_over
from gateway.media.tally import Fate, Outcome
from gateway.media.tree import MediaFile, MediaTree, PassedOver, open_medium
from gateway.media.writing import writer_to
from gateway.media.xdm import is_metadata, is_part, read_pointers
from gateway.publication.export import PointerExport, Wanted, Written
from gateway.publication.latest import LatestPointers
from gateway.publication.takeover import PointerTakeover
from gateway.settings import MIB, Settings
from indexer.client.xdm import read_metadata, write_metadata
from indexer.contract.document import Organisation

TOGETHER: Final = 4
"""Files on their way in at once: the disk makes several durable in the time of one."""


class Onlooker(Protocol):
    """Whoever is told how it goes."""

    def begin(self, total: int) -> None:
        """So many entries are to be looked at."""

    def advance(self) -> None:
        """One more is done."""

    def tell(self, outcome: Outcome) -> None:
        """What became of a file, or of a pointer that one describes."""


async def import_medium(settings: Settings, path: Path, onlooker: Onlooker) -> None:
    """Take in a folder or an archive: DICOM instances, and pointers of another gateway.

    May be broken off anywhere and begun again: what is in is passed over.

    Args:
        path: of the medium, absolute: it is resumed under the same.
        onlooker: told of each file but the parts of an XDM archive, of each pointer, and of what
            a DICOMDIR lists and is not there.

    Raises:
        InvalidRequest: the medium cannot be opened, or holds more than is read.
        StorageUnavailable: another process uses the data folder, or the disk or the database takes
            nothing more.
    """
    async with _stopped_gateway(settings) as parts:
        with closing(await asyncio.to_thread(open_medium, path)) as tree:
            survey = await asyncio.to_thread(look_over, tree)
            onlooker.begin(survey.entries)
            for outcome in survey.outcomes:
                onlooker.tell(outcome)
            with ImportJournal(settings.data_dir / "imports", str(path)) as journal:
                await _Import(parts, tree, survey, journal).run(onlooker)


async def export_pointers(
    settings: Settings, to: Path, wanted: Wanted, onlooker: Onlooker
) -> Written:
    """Write the pointers that are out as an XDM archive.

    Args:
        to: a folder, or an archive where its name ends in .zip; nothing may be there yet.

    Raises:
        Conflict: something is there already.
        NotFound: there is no data folder, or a study that is named has no pointer that is out.
        StorageUnavailable: another process uses the data folder, or the database cannot be read.
        UnreadableRecord: another version of the program wrote a pointer.
        OSError: the disk does not take the archive.
    """
    if not settings.data_dir.is_dir():  # which would be made, and had nothing to give
        raise NotFound(f"no gateway has worked in {settings.data_dir}: see GATEWAY_DATA_DIR")
    async with _stopped_gateway(settings) as parts:
        export = PointerExport(
            parts.database,
            parts.studies,
            LatestPointers(parts.database.dialect),
            write_metadata=lambda submission, uri: write_metadata(submission, uri=uri),
            sender=Organisation(number=settings.organisation_id, name=settings.organisation_name),
            application=f"drim-gateway {version('drim-gateway')}",
        )
        onlooker.begin(await export.count(wanted))
        with writer_to(to) as writer:
            return await export.write(writer, wanted, on_read=onlooker.advance)


class _Import:
    """One medium on its way in."""

    def __init__(
        self, parts: Parts, tree: MediaTree, survey: Survey, journal: ImportJournal
    ) -> None:
        self._tree = tree
        self._survey = survey
        settings = parts.settings
        assembler = Assembler(
            parts.database,
            parts.studies,
            parts.objects,
            clock=parts.clock,
            settle_ms=milliseconds(settings.study_settle_s),
            on_news=lambda: None,  # nobody looks at studies now: they are due at the next start
        )
        self._door = MediaDoor(
            InstanceIntake(assembler, parts.objects),
            parts.objects,
            tree,
            journal,
            instance_bytes_max=settings.instance_mib_max * MIB,
        )
        self._takeover = PointerTakeover(
            parts.database,
            parts.studies,
            parts.standings,
            parts.outbox,
            LatestPointers(parts.database.dialect),
            pacs=settings.pacs[0].ae_title if settings.pacs else "",
            submission_id=lambda: uuid4().hex,
            clock=parts.clock,
        )

    async def run(self, onlooker: Onlooker) -> None:
        """Take in all of it, several files at once."""
        entries = self._tree.walk()
        full: list[StorageUnavailable] = []
        async with asyncio.TaskGroup() as tasks:
            for _ in range(TOGETHER):
                tasks.create_task(self._take_some(entries, onlooker, full))
        if full:  # the group would have wrapped it in another
            raise full[0]

    async def _take_some(
        self,
        entries: Iterator[MediaFile | PassedOver],
        onlooker: Onlooker,
        full: list[StorageUnavailable],
    ) -> None:
        """Take in entries until none is left, or nothing more can be kept."""
        for entry in entries:
            try:
                outcomes = await self._take(entry)
            except StorageUnavailable as error:
                full.append(error)
                return
            for outcome in outcomes:
                onlooker.tell(outcome)
            onlooker.advance()
            if full:
                return

    async def _take(self, entry: MediaFile | PassedOver) -> list[Outcome]:
        name = entry.name
        if isinstance(entry, PassedOver):
            fate = Fate.FAILED if entry.is_lost else Fate.SKIPPED
            return [Outcome(name=name, fate=fate, reason=entry.reason)]
        if is_metadata(name):
            return await self._take_over(entry)
        in_archive = is_part(name, self._survey.archives)
        outcome = await self._door.take(entry, in_archive=in_archive)
        return [] if outcome is None else [outcome]

    async def _take_over(self, metadata: MediaFile) -> list[Outcome]:
        outcomes = []
        try:
            pointers = await asyncio.to_thread(read_pointers, self._tree, metadata, read_metadata)
            for pointer in pointers:
                fate, reason = await self._takeover.take(pointer)
                outcomes.append(
                    Outcome(name=metadata.name, fate=fate, reason=reason, is_pointer=True)
                )
        except InvalidRequest as error:
            failed = Outcome(name=metadata.name, fate=Fate.FAILED, reason=str(error))
            outcomes.append(failed)
        return outcomes


@asynccontextmanager
async def _stopped_gateway(settings: Settings) -> AsyncIterator[Parts]:
    """The parts of a gateway that does not run.

    Raises:
        StorageUnavailable: one does, or another of these commands.
    """
    async with AsyncExitStack() as stack:
        policy = choose_policy(settings, open_access=False)
        yield await open_parts(stack, settings, policy, system_clock)
