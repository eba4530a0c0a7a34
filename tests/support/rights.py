"""Callers and documents that rights are decided on."""

from collections.abc import Iterable
from typing import Any

from indexer.contract.access import Caller, CallerKind
from indexer.contract.document import Code, Organisation, Person
from tests.support.pointers import ANNE

NORMAL = Code(code="N", scheme="2.16.840.1.113883.5.25")


def a_caller(profession: str = "10", **told: Any) -> Caller:
    """A professional of a hospital, a doctor unless told, who acts on Anne's record."""
    facts: dict[str, Any] = {
        "kind": CallerKind.PROFESSIONAL,
        "person": Person(number="899900063480", family="LIBRE", given="Max"),
        "organisation": Organisation(number="1750803447", name="Hôpital Nord"),
        "patient": ANNE,
        "role": Code(code=profession, scheme="1.2.250.1.71.1.2.7"),
    }
    return Caller(**(facts | told))


def masked(codes: Iterable[str]) -> tuple[Code, ...]:
    """The confidentiality of a document that is hidden by these codes."""
    return NORMAL, *(Code(code=one, scheme="1.2.250.1.213.1.1.4.13") for one in codes)
