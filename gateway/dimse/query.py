"""Queries on an association with a PACS (C-FIND, PS3.4 §C.4.1).

Both information models are proposed. Where a PACS takes Study Root, that is used; one that knows
Patient Root alone is given the patient id that it told itself.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Final

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import dsutils

from gateway.dimse.commands import CommandField
from gateway.dimse.negotiation import Context
from gateway.dimse.requesting import Association, NoAssociation
from gateway.dimse.scu import PENDING, SUCCESS, QueryLevel
from gateway.errors import PacsAnswerUnreadable, PacsRefused, PacsUnavailable
from indexer.contract.identifiers import Uid

# PS3.4 §C.6.1.3, §C.6.2.3. Of the pair the first that is accepted is used.
_STUDY_ROOT, _PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.1.1"
FIND: Final = (_STUDY_ROOT, _PATIENT_ROOT)

ANSWERS_BYTES_MAX: Final = 256 * 1024 * 1024
"""Of all answers on one association; an answer takes some hundred."""
ITEMS_MAX: Final = 500_000
"""Items of all sequences in its answers: eight bytes each on the way, a kilobyte each in memory."""
_PATIENTS_MAX: Final = 16  # under whom one study may be held

_ITEM_TAGS = b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"  # little and big endian, PS3.5 §7.5

Keys = Mapping[str, str | Sequence[Dataset]]


class Query:
    """Queries in the model that the PACS took, one after the other.

    Raises:
        PacsUnavailable: it took neither.
    """

    def __init__(self, association: Association) -> None:
        self._association = association
        self._context_id, self._context = accepted(association, FIND)
        self._patient_id: str | None = None
        self._bytes_left = ANSWERS_BYTES_MAX
        self._items_left = ITEMS_MAX

    def asked(self, keys: Keys, level: QueryLevel) -> Dataset:
        """The identifier that asks for the keys at this level."""
        identifier = build_identifier(level, keys)
        if self._context.abstract_syntax == _PATIENT_ROOT:
            # The unique keys of all levels above must be given, the patient's too (§C.4.1.2.1); for
            # a study whose patient is not known yet it is there and empty.
            identifier.PatientID = self._patient_id or ""
        # Some answer in the character set of the question, and would leave out every accent.
        identifier.SpecificCharacterSet = "ISO_IR 100"
        return identifier

    async def find(self, identifier: bytes, *, answers_max: int) -> list[bytes]:
        """What matches, each answer as it came.

        Raises:
            PacsRefused: the PACS answers with a status that is no success.
            PacsAnswerUnreadable: it has more answers.
            NoAssociation: it sends more than is taken in.
        """
        field = CommandField.C_FIND_RQ
        message_id = await self._association.ask(field, self._context_id, identifier)
        answers: list[bytes] = []
        while True:
            answer = await self._association.receive_answer(field, message_id)
            if answer.status not in PENDING:
                raise_unless(answer.status == SUCCESS, "C-FIND", answer.status)
                return answers
            if not answer.command.has_data_set:
                raise PacsAnswerUnreadable("an answer of the PACS to C-FIND cannot be decoded")
            if len(answers) == answers_max:
                told = f"the PACS has more than {answers_max} answers to C-FIND"
                raise PacsAnswerUnreadable(told)
            encoded = await self._association.read_data_set(answer, bytes_max=self._bytes_left)
            self._bytes_left -= len(encoded)
            self._items_left -= sum(encoded.count(tag) for tag in _ITEM_TAGS)
            if self._items_left < 0:
                raise NoAssociation("sends too much")
            answers.append(encoded)

    def encode(self, identifier: Dataset) -> bytes:
        """An identifier in the transfer syntax of the queries."""
        return encode(identifier, self._context)

    def decode(self, answers: Sequence[bytes], level: QueryLevel) -> list[Dataset]:
        """The answers; it takes its time, and so may be called on another thread.

        Raises:
            PacsAnswerUnreadable: one cannot be decoded.
        """
        syntax = UID(self._context.transfer_syntax)
        try:
            decoded = [
                dsutils.decode(BytesIO(one), syntax.is_implicit_VR, syntax.is_little_endian)
                for one in answers
            ]
        except Exception:  # pydicom raises whatever the bytes made it stumble over
            told = "an answer of the PACS to C-FIND cannot be decoded"
            raise PacsAnswerUnreadable(told) from None
        if level is QueryLevel.STUDY and decoded:
            self._patient_id = str(decoded[0].get("PatientID", ""))
        return decoded

    async def patient_of(self, study: Uid) -> str | None:
        """PatientID under which the PACS holds the study; None if it does not."""
        keys = {"StudyInstanceUID": str(study), "PatientID": ""}
        asked = self.encode(self.asked(keys, QueryLevel.STUDY))
        answers = await self.find(asked, answers_max=_PATIENTS_MAX)
        return self._patient_id if self.decode(answers, QueryLevel.STUDY) else None


def accepted(association: Association, models: tuple[str, str]) -> tuple[int, Context]:
    """The context of the first of the models that the PACS took.

    Raises:
        PacsUnavailable: it took neither.
    """
    found = association.accepted(*models)
    if found is None:
        raise PacsUnavailable("the PACS does not accept an association for this service")
    return found


def build_identifier(level: QueryLevel, keys: Keys) -> Dataset:
    """An identifier of a query or a retrieval (PS3.4 §C.4)."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level.value
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def encode(identifier: Dataset, context: Context) -> bytes:
    """The identifier in the context's transfer syntax."""
    syntax = UID(context.transfer_syntax)
    encoded = dsutils.encode(identifier, syntax.is_implicit_VR, syntax.is_little_endian)
    if encoded is None:  # only what we made ourselves comes here
        raise ValueError("the identifier cannot be encoded")
    return encoded


def raise_unless(succeeded: bool, service: str, status: int, *, hint: str = "") -> None:
    """Return if a service succeeded.

    Raises:
        PacsRefused: it did not.
    """
    if not succeeded:
        told = f"the PACS answered {service} with status {status:04X}{hint}"
        raise PacsRefused(told, status=status)
