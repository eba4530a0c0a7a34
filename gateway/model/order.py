"""An imaging order, or a word about an exam that was ordered, as the RIS sends it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.model.report import ReportedPatient
from indexer.contract.document import Code, Identifier, Person
from indexer.contract.identifiers import Uid

CANCELLED: Final = frozenset({"CA", "CR", "OC", "DC", "DR", "OD"})
"""ORC-1: the order is cancelled or discontinued, by who placed it or by who fills it, asked or not
(HL7 table 0119)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One message about one order (ORM^O01, OMI^O23). The last one said of an order holds, and
    where they do not tell when, the last one received."""

    placer: Identifier
    """ORC-2; empty value where it is left out."""
    filler: Identifier
    """ORC-3; empty value where it is left out."""
    control: str
    """ORC-1, as sent."""
    accessions: tuple[Identifier, ...] = ()
    studies: tuple[Uid, ...] = ()
    """Study Instance UIDs that it names (IPC-3, ZDS-1); an ORM may name none."""
    exam_changed: bool = False
    """It tells that the content of an exam changed, so the PACS has to be asked again."""
    ordered_at: datetime | None = None
    """ORC-9 (or ORC-15), aware; None where it is left out."""
    said_at: datetime | None = None
    """MSH-7, aware; None where it holds no time."""
    identity_status: str
    """PID-32."""
    patient: ReportedPatient
    acts: tuple[Code, ...] = ()
    regions: tuple[Code, ...] = ()
    author: Person | None = None
    """Who is to interpret (OBR-32) or performs, if it says so; never who prescribed."""

    def is_late(self, known: "Order") -> bool:
        """Whether it was said before another message about the same order, by what both tell."""
        if self.said_at is None or known.said_at is None:
            return False
        return self.said_at < known.said_at
