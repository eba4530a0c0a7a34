"""What a centre's administration says of its patients: `ADT` messages as IHE PAM has them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from simulators.imaging_centre.hl7 import VALIDATED, Header, build, local_id, pid
from simulators.imaging_centre.mllp import Message
from simulators.synthetic.identity import Patient

_STRUCTURES: Final = {
    "A01": "ADT_A01",
    "A04": "ADT_A01",
    "A08": "ADT_A01",
    "A31": "ADT_A05",
    "A40": "ADT_A39",
    "A47": "ADT_A30",
}
EVENTS: Final = tuple(_STRUCTURES)
_WITHOUT_VISIT = frozenset({"A40", "A47"})


def build_adt(
    event: str,
    patient: Patient,
    *,
    header: Header,
    happened_at: datetime | None = None,
    merged: Sequence[Patient] = (),
    status: str = VALIDATED,
    with_ins: bool = True,
) -> Message:
    """An `ADT` 2.5 on the patient.

    Args:
        event: one of `EVENTS`.
        happened_at: EVN-2; None leaves it out, as some senders do.
        merged: whose numbers become the patient's (A40), or were replaced by it (A47).
        status: PID-32.
        with_ins: False leaves the national number out.
    """
    told = f"{happened_at:%Y%m%d%H%M%S%z}" if happened_at else ""
    segments = [
        f"EVN||{told}|||",
        pid(patient, status=status, with_ins=with_ins),
        *([f"MRG|{'~'.join(local_id(one) for one in merged)}"] if merged else []),
        *([] if event in _WITHOUT_VISIT else ["PV1|1|N"]),
    ]
    return build(header, f"ADT^{event}^{_STRUCTURES[event]}", "2.5", segments)
