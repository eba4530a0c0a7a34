"""Transactions of ITI-65 with as many documents as a test likes."""

from collections.abc import Sequence
from uuid import NAMESPACE_OID, uuid5

import orjson

from indexer.wire.fhir.bundles import provide_bundle
from indexer.wire.outcome import Json
from tests.support.pointers import a_submission

PROFILE = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.{}.ProvideBundle"


def a_transaction(numbers: Sequence[int] = (1,), *, profile: str = "Comprehensive") -> Json:
    """One submission set with the documents of these numbers, a DocumentReference before each."""
    bundle: Json | None = None
    for number in numbers:
        one: Json = orjson.loads(orjson.dumps(provide_bundle(a_submission(number))))
        if bundle is None:
            bundle = one
            continue
        listed, *document = one["entry"]
        bundle["entry"][0]["resource"]["entry"] += listed["resource"]["entry"]
        bundle["entry"] += document
    assert bundle is not None
    bundle["meta"] = {"profile": [PROFILE.format(profile)]}
    return bundle


def of_kind(bundle: Json, kind: str) -> list[Json]:
    """The resources of one type, in their order."""
    found = [entry["resource"] for entry in bundle["entry"]]
    return [one for one in found if one["resourceType"] == kind]


def related(bundle: Json, code: str, target: str, *, number: int = 0) -> Json:
    """The same transaction, in which a document is something to another."""
    document = of_kind(bundle, "DocumentReference")[number]
    document.setdefault("relatesTo", []).append({"code": code, "target": {"reference": target}})
    return bundle


def url_of(bundle: Json, number: int) -> str:
    """How the transaction calls one of its documents."""
    urls: list[str] = [
        entry["fullUrl"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "DocumentReference"
    ]
    return urls[number]


def uncontained(bundle: Json) -> Json:
    """The same transaction, in which whoever a resource contains stands beside it."""
    beside: dict[str, Json] = {}
    for kind in ("List", "DocumentReference"):
        for resource in of_kind(bundle, kind):
            for one in resource.pop("contained"):
                name = one.pop("id")
                if one["resourceType"] == "Patient":
                    one["identifier"].append(resource["subject"]["identifier"])
                url = f"urn:uuid:{uuid5(NAMESPACE_OID, orjson.dumps(one).decode())}"
                beside[url] = one
                _refer(resource, f"#{name}", url)
                if one["resourceType"] == "Patient":
                    resource["subject"] = {"reference": url}
                    del resource["context"]["sourcePatientInfo"]
    bundle["entry"] += [
        {
            "fullUrl": url,
            "resource": one,
            "request": {"method": "POST", "url": one["resourceType"]},
        }
        for url, one in beside.items()
    ]
    return bundle


def _refer(value: object, name: str, url: str) -> None:
    if isinstance(value, list):
        for one in value:
            _refer(one, name, url)
    if isinstance(value, dict):
        if value.get("reference") == name:
            value["reference"] = url
        for one in value.values():
            _refer(one, name, url)
