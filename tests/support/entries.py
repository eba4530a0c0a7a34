"""What the index says of a patient's documents, asked as any client would ask it."""

from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, ClientTimeout

from simulators.synthetic.identity import Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the index, current or superseded."""

    unique_id: str
    status: str
    references: frozenset[str]
    confidentiality: frozenset[str]
    codes: frozenset[str]
    """Of act, region, modality, facility and practice setting."""
    authors: frozenset[str]
    """National numbers of who wrote the report, who signed it, and of the structure."""


async def find_entries(
    index_url: str, patient: Patient, *, within_s: float, status: str = "current,superseded"
) -> list[Entry]:
    """The patient's entries of these statuses."""
    search = {
        "patient.identifier": f"urn:oid:{patient.ins_oid}|{patient.ins}",
        "status": status,
    }
    async with (
        ClientSession(timeout=ClientTimeout(total=within_s)) as session,
        session.post(f"{index_url}/fhir/DocumentReference/_search", data=search) as response,
    ):
        assert response.status == 200, f"the index answered {response.status}"
        bundle = await response.json(content_type=None)
    return [_entry(one["resource"]) for one in bundle.get("entry", [])]


def _entry(resource: dict[str, Any]) -> Entry:
    context = resource.get("context", {})
    related = context.get("related", [])
    concepts = [*context["event"], context["facilityType"], context["practiceSetting"]]
    named = [one for one in resource["contained"] if one["resourceType"] != "Patient"]
    return Entry(
        unique_id=resource["masterIdentifier"]["value"].removeprefix("urn:oid:"),
        status=resource["status"],
        references=frozenset(
            one["identifier"]["value"].removeprefix("urn:oid:")
            for one in related
            if "identifier" in one
        ),
        confidentiality=frozenset(
            coding["code"] for label in resource["securityLabel"] for coding in label["coding"]
        ),
        codes=frozenset(coding["code"] for one in concepts for coding in one["coding"]),
        authors=frozenset(one["value"] for each in named for one in each["identifier"]),
    )
