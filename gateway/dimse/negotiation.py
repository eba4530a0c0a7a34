"""What the acceptor offers, and its answer to an association request (PS3.8 §7.1, PS3.7 Annex D).

Pure: a request goes in, an answer or a reason to refuse comes out.
"""

from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from gateway.dimse.statuses import RejectReason
from gateway.model.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

UserInformation = (  # what pynetdicom takes; we answer some of them
    MaximumLengthNotification
    | ImplementationClassUIDNotification
    | ImplementationVersionNameNotification
    | AsynchronousOperationsWindowNegotiation
    | SCP_SCU_RoleSelectionNegotiation
    | SOPClassExtendedNegotiation
    | SOPClassCommonExtendedNegotiation
    | UserIdentityNegotiation
)

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"
# Storage classes of earlier editions (PS3.4 Annex B), in which archives hold old exams.
_RETIRED_STORAGE = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{suffix}"
    for suffix in "3 5 6 8 9 9.1 10 11 12.3 77.1 77.2 88.1 88.2 88.3 88.4 129".split()
)
STORAGE = _RETIRED_STORAGE | {
    str(context.abstract_syntax) for context in AllStoragePresentationContexts
}

_UNCOMPRESSED = frozenset(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"))
# Retired JPEG processes, which archives still hold (PS3.5-2004 §10).
_RETIRED_JPEG = frozenset(f"1.2.840.10008.1.2.4.{process}" for process in range(52, 67))
_STORED = frozenset(ALL_TRANSFER_SYNTAXES) | _RETIRED_JPEG

PDU_BYTES_MIN = 128  # a peer that announces less is answered in PDUs of this size


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context that was accepted."""

    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed: the answer to send, the contexts by id, and the peer's PDU length."""

    answer: A_ASSOCIATE
    contexts: dict[int, Context]
    peer_pdu_bytes_max: int
    """0 is no limit (PS3.8 Annex D.1)."""


def transfer_syntaxes(abstract_syntax: str) -> frozenset[str]:
    """Transfer syntaxes in which we take this SOP class; empty for one that we do not offer."""
    if abstract_syntax in STORAGE:
        return _STORED
    if abstract_syntax in (VERIFICATION, INSTANCE_AVAILABILITY):
        return _UNCOMPRESSED
    return frozenset()


def negotiate(
    version: int, request: A_ASSOCIATE, *, pdu_bytes_announced: int
) -> Agreement | RejectReason:
    """The answer to an association request.

    Of the transfer syntaxes in one context the requestor's first that we know is taken: the
    sender knows what it stores, and sends that without a conversion.
    """
    if not version & 1:
        return RejectReason.PROTOCOL_VERSION_NOT_SUPPORTED
    if request.application_context_name != APPLICATION_CONTEXT:
        return RejectReason.APPLICATION_CONTEXT_NOT_SUPPORTED
    results = [_answer_context(asked) for asked in request.presentation_context_definition_list]
    answer = A_ASSOCIATE()
    answer.application_context_name = UID(APPLICATION_CONTEXT)
    answer.calling_ae_title = request.calling_ae_title
    answer.called_ae_title = request.called_ae_title
    answer.result = 0
    answer.result_source = 1
    answer.presentation_context_definition_results_list = results
    answer.user_information = _answer_user_information(request, pdu_bytes_announced)
    contexts = {
        result.context_id or 0: Context(str(result.abstract_syntax), str(result.transfer_syntax[0]))
        for result in results
        if result.result == 0
    }
    return Agreement(answer, contexts, _peer_pdu_bytes_max(request))


def _answer_context(asked: PresentationContext) -> PresentationContext:
    abstract_syntax = str(asked.abstract_syntax)
    known = transfer_syntaxes(abstract_syntax)
    offered = PresentationContext()
    offered.abstract_syntax = UID(abstract_syntax)
    offered.transfer_syntax = [name for name in asked.transfer_syntax if name in known]
    if known and not offered.transfer_syntax:
        offered.transfer_syntax = [min(known)]  # answered "transfer syntaxes not supported"
    [result], _roles = negotiate_as_acceptor([asked], [offered] if known else [])
    return result


def _answer_user_information(
    request: A_ASSOCIATE, pdu_bytes_announced: int
) -> list[UserInformation]:
    length = MaximumLengthNotification()
    length.maximum_length_received = pdu_bytes_announced
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION
    answers: list[UserInformation] = [length, implementation, version]
    for item in request.user_information:
        match item:
            case AsynchronousOperationsWindowNegotiation():
                window = AsynchronousOperationsWindowNegotiation()
                window.maximum_number_operations_invoked = 1
                window.maximum_number_operations_performed = 1
                answers.append(window)
            case UserIdentityNegotiation(positive_response_requested=True):
                identity = UserIdentityNegotiation()
                identity.server_response = b""
                answers.append(identity)
    return answers


def _peer_pdu_bytes_max(request: A_ASSOCIATE) -> int:
    for item in request.user_information:
        if isinstance(item, MaximumLengthNotification):
            announced = item.maximum_length_received or 0
            return max(announced, PDU_BYTES_MIN) if announced else 0
    return 0
