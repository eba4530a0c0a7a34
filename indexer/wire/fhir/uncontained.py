"""Brings who is told of beside a resource into it, as the index keeps them (MHD UnContained).

The index has no Patient, Practitioner or Organization resources: a document contains who wrote it
and what was known of its patient, and names the patient by the national identity.
"""

from collections.abc import Mapping
from typing import Any, Final

from indexer.contract.identifiers import INS_NIA, INS_NIR, INS_NIR_DEMO, INS_NIR_TEST
from indexer.wire.outcome import Json
from indexer.wire.vocabulary import OID_PREFIX

PEOPLE: Final = frozenset({"Patient", "Practitioner", "PractitionerRole", "Organization", "Device"})

_NATIONAL: Final = frozenset(
    OID_PREFIX + oid for oid in (INS_NIR, INS_NIA, INS_NIR_TEST, INS_NIR_DEMO)
)
_DEPTH_MAX: Final = 40
"""Of what may refer to somebody; no metadata lies as deep."""
_PEOPLE_MAX: Final = 32
"""That one resource may refer to, by however many steps."""


def contain(resource: Json, beside: Mapping[str, Json]) -> Json:
    """The resource with all to whom it refers inside it; what cannot be resolved stays as it is.

    Args:
        resource: a DocumentReference or a List, of any shape.
        beside: who else the transaction brings, by how they may be referred to.
    """
    subject = resource.get("subject")
    if not beside and not (isinstance(subject, dict) and "reference" in subject):
        return resource  # as most are
    within = resource.get("contained")
    inside = {
        f"#{one['id']}": one
        for one in (within if isinstance(within, list) else [])
        if isinstance(one, dict) and isinstance(one.get("id"), str)
    }
    moved = _Moved(beside, {**beside, **inside})
    whole = {name: moved.local(one) for name, one in resource.items() if name != "subject"}
    patient = moved.referred(subject)
    if isinstance(subject, dict):
        whole["subject"] = _named(subject, patient)
    context = whole.get("context")
    if isinstance(context, dict) and "sourcePatientInfo" not in context and patient:
        whole["context"] = context | {"sourcePatientInfo": moved.local(subject)}
    if moved.people:
        whole["contained"] = [*inside.values(), *moved.people]
    return whole


def _named(subject: Json, patient: Json | None) -> Json:
    """A logical reference to the patient, by the national identity that their resource tells."""
    told = patient.get("identifier") if patient else None
    for one in told if isinstance(told, list) else []:
        if isinstance(one, dict) and one.get("system") in _NATIONAL:
            return {"type": "Patient", "identifier": one}
    return subject


class _Moved:
    """Who is brought into one resource, each once."""

    def __init__(self, beside: Mapping[str, Json], known: Mapping[str, Json]) -> None:
        self._beside = beside
        self._known = known
        self._names: dict[str, str] = {}
        self.people: list[Json] = []

    def referred(self, reference: object) -> Json | None:
        """Whom a reference names, if it is one that can be resolved."""
        if not isinstance(reference, dict) or not isinstance(reference.get("reference"), str):
            return None
        return self._known.get(reference["reference"])

    def local(self, value: Any, depth: int = 0) -> Any:
        """The value, in which references to who is brought in are local."""
        if depth > _DEPTH_MAX:
            return value
        if isinstance(value, list):
            return [self.local(one, depth + 1) for one in value]
        if not isinstance(value, dict):
            return value
        target = value.get("reference")
        if isinstance(target, str) and target in self._beside:
            return {"reference": f"#{self._name(target)}"}
        return {name: self.local(one, depth + 1) for name, one in value.items()}

    def _name(self, target: str) -> str:
        if target not in self._names and len(self._names) < _PEOPLE_MAX:
            name = self._names[target] = f"brought-{len(self._names) + 1}"
            self.people.append(self.local(self._beside[target]) | {"id": name})
        return self._names.get(target, "too-many")
