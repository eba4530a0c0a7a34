"""What was read once of each stored object: its metadata, and where its frames and values lie.

A description belongs to an object, which never changes: another data set under the same UID is
another object. So it is made once, and gone with its object.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, cast

import orjson

from gateway.dicomweb.layout import START_BYTES, Layout
from gateway.model.image import ImageDescription, StoredObject
from gateway.model.resource import Resource
from gateway.storage.database import Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode
from indexer.contract.identifiers import Uid

ALL_FRAMES: Final = 100_000_000
"""The last of any object: no file tells more apart, and no database finds a place beyond."""

_FILTER: Final = "/* filter */"
_LINES_CHARACTERS: Final = 2**15
"""Taken apart at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undescribed:
    """An object that waits to be described."""

    key: str
    transfer_syntax: Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is kept of an object."""

    key: str
    metadata: bytes = b""
    """DICOM JSON, deflated."""
    layout: bytes = b""
    """See `Layout.decode`."""
    starts: bytes = b""
    """Of encapsulated frames."""
    failure: str = ""
    """Why there is none of these; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Version:
    """Changes with whatever is told of a study."""

    news: int
    answers: int


@dataclass(frozen=True, slots=True)
class ListedInstance:
    """An instance that may be shown."""

    series: Uid
    instance: Uid
    key: str
    """Of its object; empty where its bytes are not stored here."""
    transfer_syntax: str
    """Of that; empty where they are not."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The instances of a resource that may be shown now, sorted by series and instance.

    There may be tens of thousands: of each nothing is made before it is asked for.
    """

    study: Uid
    version: Version
    text: str
    fingerprint: str
    """The same for the same objects in the same places, and for no others."""
    entire: bool
    """Whether the bytes of all of them are stored here."""
    transfer_syntaxes: frozenset[Uid]
    """Of all of them that are stored here."""

    @classmethod
    def of(cls, study: Uid, version: Version, text: str) -> "Listing":
        """The listing of lines as `lines` has them."""
        return cls(
            study=study,
            version=version,
            text=text,
            fingerprint=blake2b(text.encode(), digest_size=16).hexdigest(),
            entire=not text.endswith(" ") and " \n" not in text,
            transfer_syntaxes=frozenset(map(Uid, {one[3] for one in _lines(text)} - {""})),
        )

    @property
    def instances(self) -> list[ListedInstance]:
        """Each of them."""
        return [ListedInstance(Uid(one[0]), Uid(one[1]), one[2], one[3]) for one in self.lines()]

    def lines(self) -> Iterator[list[str]]:
        """Of each of them: series, instance, and of its object the key, the transfer syntax and the
        size in bytes, which are empty where its bytes are not stored here."""
        return _lines(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInstance:
    """An instance whose bytes are stored here, and what its description says, if it has one."""

    version: Version
    stored: StoredObject
    layout: Layout | None
    starts: bytes
    """Of the frames that were asked for, and where the last one ends; empty of native ones."""
    failure: str


class Descriptions:
    """Repository of descriptions."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "descriptions.sql", dialect)

    async def listed(self, tx: Transaction, resource: Resource) -> Listing | None:
        """What of a study, a series, or one instance may be shown; None if nothing is."""
        rows = await self._of(tx, "listed", resource)
        if not rows or not rows[0]["listed"]:
            return None
        [row] = rows
        version = Version(cast(int, row["news"]), cast(int, row["answers"]))
        return Listing.of(resource.study, version, cast(str, row["listed"]))

    async def named(self, tx: Transaction, resource: Resource) -> list[ImageDescription]:
        """Whom and what the stored instances of a resource name: the header of one, and of each
        other that names another patient or exam."""
        rows = await self._of(tx, "named", resource)
        return [decode(ImageDescription, cast(str, row["header"]).encode()) for row in rows]

    async def instance(
        self, tx: Transaction, resource: Resource, *, frames: tuple[int, int]
    ) -> StoredInstance | None:
        """One instance that may be shown; None if its bytes are not stored here.

        Args:
            frames: the first and the last whose places are wanted, from 1.
        """
        first, last = (min(number, ALL_FRAMES) for number in frames)
        rows = await tx.fetch(
            self._sql["instance"],
            study=resource.study,
            series=resource.series,
            instance=resource.instance,
            starts_at=(first - 1) * START_BYTES + 1,
            starts_bytes=(last - first + 2) * START_BYTES,
        )
        if not rows or rows[0]["object_key"] is None:
            return None
        [row] = rows
        layout = cast("bytes | None", row["layout"])
        return StoredInstance(
            version=Version(cast(int, row["news"]), cast(int, row["answers"])),
            stored=StoredObject(
                key=cast(str, row["object_key"]),
                transfer_syntax=Uid(cast(str, row["transfer_syntax"])),
                size_bytes=cast(int, row["size_bytes"]),
                sha256=cast(str, row["sha256"]),
            ),
            layout=Layout.decode(layout) if layout else None,
            starts=cast("bytes | None", row["starts"]) or b"",
            failure=cast("str | None", row["failure"]) or "",
        )

    async def metadata(self, tx: Transaction, keys: Iterable[str]) -> dict[str, Description]:
        """Metadata, or the failure, of each of these objects that is described."""
        rows = await tx.fetch(self._sql["metadata"], object_keys=_list(keys))
        return {
            cast(str, row["object_key"]): Description(
                key=cast(str, row["object_key"]),
                metadata=cast("bytes | None", row["metadata"]) or b"",
                failure=cast(str, row["failure"]),
            )
            for row in rows
        }

    async def undescribed(self, tx: Transaction, *, count_max: int) -> list[Undescribed]:
        """Some objects that nobody has described yet."""
        rows = await tx.fetch(self._sql["undescribed"], count_max=count_max)
        return [_undescribed(row) for row in rows]

    async def objects(self, tx: Transaction, keys: Iterable[str]) -> list[Undescribed]:
        """Those of these objects that an instance refers to, described or not."""
        rows = await tx.fetch(self._sql["undescribed_of"], object_keys=_list(keys))
        return [_undescribed(row) for row in rows]

    async def keep(self, tx: Transaction, described: Sequence[Description]) -> None:
        """Keep what was read of objects, as far as instances still refer to them."""
        listed, records = [], bytearray()
        for one in described:
            places: dict[str, Param] = {"key": one.key, "failure": one.failure}
            for name in ("metadata", "layout", "starts"):
                record: bytes = getattr(one, name)
                places[f"{name}_at"], places[f"{name}_bytes"] = len(records) + 1, len(record)
                records += record
            listed.append(places)
        told = orjson.dumps(listed).decode()
        await tx.fetch(self._sql["keep"], described=told, records=bytes(records))
        await tx.fetch(self._sql["mark_described"], described=told)

    async def _of(self, tx: Transaction, query: str, resource: Resource) -> list[Row]:
        """Ask for what is shown of a resource."""
        named = {"series": resource.series, "instance": resource.instance}
        given = {level: uid for level, uid in named.items() if uid is not None}
        # Not by what holds for every row where nothing is named: an instance is then found by its
        # key, however many the study has.
        named_is = " AND ".join(f"{level}_uid = :{level}" for level in given) or "true"
        sql = self._sql[query].replace(_FILTER, named_is)
        return await tx.fetch(sql, study=resource.study, **given)


def _lines(text: str) -> Iterator[list[str]]:
    at = 0
    while at < len(text):
        end = text.find("\n", at + _LINES_CHARACTERS)
        end = len(text) if end < 0 else end
        for line in text[at:end].split("\n"):
            yield line.split(" ")
        at = end + 1


def _undescribed(row: Row) -> Undescribed:
    return Undescribed(
        key=cast(str, row["object_key"]), transfer_syntax=Uid(cast(str, row["transfer_syntax"]))
    )


def _list(keys: Iterable[str]) -> str:
    return orjson.dumps(list(keys)).decode()
