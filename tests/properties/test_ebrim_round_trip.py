"""Whatever an entry says, its XDS metadata says, too."""

import re
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from indexer.client.xdm import read_metadata, write_metadata
from indexer.contract.document import EntryStatus, Submission
from indexer.contract.errors import InvalidValue
from tests.support.pointers import submissions

NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@given(submissions())
def test_metadata_says_what_the_submission_does(submission: Submission) -> None:
    submission = _written(submission)
    entry = replace(
        submission.entry, mime_type="application/dicom", status=EntryStatus.APPROVED, entry_id=""
    )
    told = replace(submission, entry=entry, replaces=None)

    [found] = read_metadata(write_metadata(told, uri="KOS_1.DCM"))

    assert found.submission == replace(told, document=b"")


@given(submissions(), st.integers(0, 10_000), st.binary(max_size=8))
def test_damaged_metadata_is_read_or_refused(submission: Submission, at: int, noise: bytes) -> None:
    data = write_metadata(submission, uri="KOS_1.DCM")
    at %= len(data)

    reason = _refusal(data[:at] + noise + data[at + len(noise) :])

    assert submission.entry.patient.value not in reason


def _refusal(data: bytes) -> str:
    """Why the metadata is refused; empty where it is read."""
    try:
        read_metadata(data)
    except InvalidValue as refused:
        return str(refused)
    return ""


def _written(value: Any) -> Any:
    """The value without what neither XML nor a time in whole seconds can hold."""
    if isinstance(value, datetime):
        return value.replace(microsecond=0)
    if isinstance(value, str) and not isinstance(value, Enum):
        return type(value)(NOT_XML.sub(" ", value).strip() or ("x" if value else ""))
    if isinstance(value, tuple):
        return tuple(_written(one) for one in value)
    if is_dataclass(value):
        return replace(
            value, **{one.name: _written(getattr(value, one.name)) for one in fields(value)}
        )  # type: ignore[type-var]
    return value
