"""How values stand in the tables: a patient as the key that comes first in each, lists as JSON."""

import orjson

from indexer.contract.identifiers import Ins, Oid


def patient_key(patient: Ins) -> str:
    """The patient as a key: the authority, then the number within it."""
    return f"{patient.oid}|{patient.value}"


def patient_of(key: str) -> Ins:
    """The patient of a key."""
    oid, _, value = key.partition("|")
    return Ins(value=value, oid=Oid(oid))


def json_text(value: object) -> str:
    """A value as the one JSON parameter of a statement, or as a column of JSON."""
    return orjson.dumps(value).decode()
