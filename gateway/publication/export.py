"""Writes the pointers that are out as an XDM archive, for a centre that changes its gateway.

The archive depends on what is published alone: the same pointers give the same bytes, whenever
they are written. It is written study by study, so its size costs no memory.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

from gateway.catalogue.studies import Studies
from gateway.errors import Conflict, NotFound
from gateway.media.writing import MediaWriter
from gateway.media.xdm import (
    SETS_MAX,
    MediaPointer,
    WriteMetadata,
    cover_files,
    month_of,
    pointer_files,
)
from gateway.model.speaking import reports_in_force
from gateway.publication.latest import LatestPointers
from gateway.storage.database import Database, Transaction
from indexer.contract.document import Organisation, Submission
from indexer.contract.identifiers import Uid

PAGE: Final = 50
"""Pointers read at once; a manifest takes some 200 bytes an instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which pointers are to be written."""

    studies: Collection[str] = ()
    """Their studies; all if none is named."""
    since: date | None = None
    """Day, in UTC, before which a manifest must not have been made."""

    def includes(self, submission: Submission) -> bool:
        """Whether this pointer of a study that is wanted is new enough."""
        return self.since is None or submission.entry.created_at.date() >= self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What went into an archive, and what it leaves behind."""

    pointers: int
    left_behind: int
    """Those whose study has images that lie in this gateway's store and that no PACS told of."""


class PointerExport:
    """Writes pointers.

    Args:
        sender: the centre, for the person who opens the archive.
        application: name and version of the program, for the same.
    """

    def __init__(
        self,
        database: Database,
        studies: Studies,
        latest: LatestPointers,
        *,
        write_metadata: WriteMetadata,
        sender: Organisation,
        application: str,
    ) -> None:
        self._database = database
        self._studies = studies
        self._latest = latest
        self._write_metadata = write_metadata
        self._sender = sender
        self._application = application

    async def count(self, wanted: Wanted) -> int:
        """How many pointers of the wanted studies are out.

        Raises:
            NotFound: a study that is named has none.
        """
        count = await self._database.read(partial(self._latest.count, studies=wanted.studies))
        if missing := len(wanted.studies) - count if wanted.studies else 0:
            raise NotFound(f"no pointer is out of {missing} of the studies named")
        return count

    async def write(
        self, writer: MediaWriter, wanted: Wanted, *, on_read: Callable[[], None]
    ) -> Written:
        """Write the pointers that are wanted.

        Args:
            on_read: called for each of those that `count` told.

        Raises:
            Conflict: a month has more pointers than one archive can name.
            UnreadableRecord: another version of the program wrote one.
            OSError: the disk does not take it.
        """
        by_month: Counter[str] = Counter()
        left_behind = 0
        async for study, submission in self._pointers(wanted):
            on_read()
            if not wanted.includes(submission):
                continue
            report_id, has_more = await self._database.read(partial(self._known, study=study))
            left_behind += has_more
            pointer = MediaPointer(submission=submission, report_id=report_id)
            month = month_of(pointer)
            by_month[month] += 1
            if by_month[month] > SETS_MAX:
                raise Conflict(f"more than {SETS_MAX} pointers were made in one month")
            for name, data in pointer_files(pointer, by_month[month], self._write_metadata):
                writer.add(name, data)
        for month, pointers in sorted(by_month.items()):
            covers = cover_files(
                month, pointers=pointers, sender=self._sender, application=self._application
            )
            for name, data in covers:
                writer.add(name, data)
        return Written(pointers=by_month.total(), left_behind=left_behind)

    async def _pointers(self, wanted: Wanted) -> AsyncIterator[tuple[Uid, Submission]]:
        """What is out of the wanted studies, in the order of their UIDs."""
        after = ""
        read = partial(self._latest.page, count_max=PAGE, studies=wanted.studies)
        while page := await self._database.read(partial(read, after=after)):
            for one in page:
                yield one
            after = page[-1][0]

    async def _known(self, tx: Transaction, *, study: Uid) -> tuple[str, bool]:
        """The report that governs the study, else the one that came with its pointer; and whether
        images of it are here alone.
        """
        snapshot = await self._studies.snapshot(tx, study)
        if snapshot is None:
            return "", False
        has_more = any(image.stored and not image.pacs for image in snapshot.standing_images)
        reports = reports_in_force(snapshot)
        if reports:
            return reports[-1].document_id, has_more
        return await self._latest.report_taken_over(tx, study), has_more
