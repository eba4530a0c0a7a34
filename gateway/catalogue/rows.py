"""Instances as the catalogue's rows hold them."""

from typing import cast

from gateway.model.image import ImageDescription, KnownImage, StoredObject
from gateway.storage.database import Param, Row
from gateway.storage.records import decode
from indexer.contract.identifiers import Uid


def known_image(row: Row) -> KnownImage:
    """The instance of a row; a row without the columns of its object tells only what it is."""
    stored = None
    if row.get("object_key") is not None:
        stored = StoredObject(
            key=cast(str, row["object_key"]),
            transfer_syntax=Uid(cast(str, row["transfer_syntax"])),
            size_bytes=cast(int, row["size_bytes"]),
            sha256=cast(str, row["sha256"]),
        )
    return KnownImage(
        header=description_in(row["header"]),
        answer=description_in(row["answer"]),
        stored=stored,
        copied=description_in(row.get("copied")),
        pacs=cast(str, row.get("pacs", "")),
        rejected=cast(str, row.get("rejected", "")),
    )


def description_in(record: Param) -> ImageDescription | None:
    """What a column holds of an instance; None where nobody told it."""
    return None if record is None else decode(ImageDescription, cast(bytes, record))
