"""The answer to a Store transaction: what was stored, what was not, and why (PS3.18 §10.5.3).

The data set is the Store Instances Response Module (PS3.18 §I.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus

from gateway.dicomweb.dicom_json import JsonDataSet, element
from indexer.contract.identifiers import Uid


class FailureReason(IntEnum):
    """Why an instance was not stored (PS3.18 §I.2.2).

    For an instance of another study than the address names the standard has no code, and lets a
    server bring its own; this one is what dcm4chee answers.
    """

    PROCESSING_FAILURE = 0x0110
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_DOES_NOT_MATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122
    OTHER_STUDY = 0xC409


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An instance that is durable now, or was before."""

    study: Uid
    series: Uid
    instance: Uid
    sop_class: Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An instance that was not stored; its UIDs are absent where they could not be read."""

    reason: FailureReason
    status: HTTPStatus = HTTPStatus.CONFLICT
    """Of the answer, where nothing was stored and all failed in this way."""
    message: str = ""
    """What was wrong, without anything that was sent."""
    instance: Uid | None = None
    sop_class: Uid | None = None


Outcome = Stored | Failed


def status_of(outcomes: Sequence[Outcome]) -> HTTPStatus:
    """The status of the answer (PS3.18 §10.5.3)."""
    failures = {one.status for one in outcomes if isinstance(one, Failed)}
    if not failures:
        return HTTPStatus.OK
    if any(isinstance(one, Stored) for one in outcomes):
        return HTTPStatus.ACCEPTED
    return failures.pop() if len(failures) == 1 else HTTPStatus.CONFLICT


def build_response(outcomes: Sequence[Outcome], *, studies_url: str) -> JsonDataSet:
    """The data set of the answer, in the form of DICOM JSON; a sequence without items is left out.

    Args:
        studies_url: address of the resource of all studies, as viewers reach it.
    """
    stored = [one for one in outcomes if isinstance(one, Stored)]
    failed = [one for one in outcomes if isinstance(one, Failed)]
    studies = {one.study for one in stored}
    # It names one study at most; of several, each item names its own.
    study_url = f"{studies_url}/{studies.pop()}" if len(studies) == 1 else ""
    sequences = {
        "00081198": [_failure(one) for one in failed if one.instance],
        "00081199": [_reference(one, studies_url) for one in stored],
        "0008119A": [_reason(one) for one in failed if not one.instance],
    }
    told = {tag: element("SQ", *items) for tag, items in sequences.items() if items}
    return {"00081190": element("UR", study_url)} | told


def _reference(stored: Stored, studies_url: str) -> JsonDataSet:
    url = f"{studies_url}/{stored.study}/series/{stored.series}/instances/{stored.instance}"
    return {
        "00081150": element("UI", stored.sop_class),
        "00081155": element("UI", stored.instance),
        "00081190": element("UR", url),
    }


def _failure(failed: Failed) -> JsonDataSet:
    return {
        "00081150": element("UI", failed.sop_class or ""),
        "00081155": element("UI", failed.instance or ""),
        **_reason(failed),
    }


def _reason(failed: Failed) -> JsonDataSet:
    return {"00081197": element("US", int(failed.reason))}
