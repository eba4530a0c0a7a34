"""What is offered, and agreed to, when an association begins (PS3.8 §7.1, PS3.7 Annex D).

Pure: as acceptor a request goes in, an answer or a reason to refuse comes out. As requestor it asks
for the role of the SCP where the peer is to store to us (C-GET), or to be told a result.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
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
from pynetdicom.presentation import PresentationContext, build_context, negotiate_as_acceptor

from gateway.dimse.limits import CONTEXTS_MAX
from gateway.dimse.pdus import decode_request
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

_Roles = dict[UID, tuple[bool | None, bool | None]]  # SCU and SCP role of the requestor

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"
PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
# Storage classes of earlier editions (PS3.4 Annex B), in which archives hold old exams.
_RETIRED_STORAGE = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{suffix}"
    for suffix in "3 5 6 8 9 9.1 10 11 12.3 77.1 77.2 88.1 88.2 88.3 88.4 129".split()
)
STORAGE = _RETIRED_STORAGE | {
    str(context.abstract_syntax) for context in AllStoragePresentationContexts
}

_NOTIFICATIONS = frozenset(
    (VERIFICATION, INSTANCE_AVAILABILITY, PROCEDURE_STEP, STORAGE_COMMITMENT)
)
_UNCOMPRESSED = frozenset(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"))
# Retired JPEG processes, which archives still hold (PS3.5-2004 §10).
_RETIRED_JPEG = frozenset(f"1.2.840.10008.1.2.4.{process}" for process in range(52, 67))
_ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"  # which pynetdicom does not list
# A private one is not taken, though nothing is decoded: its order of bytes and its VRs are not
# known, so no header could be read. Senders then use another that they propose.
_STORED = frozenset(ALL_TRANSFER_SYNTAXES) | _RETIRED_JPEG | {_ENCAPSULATED_UNCOMPRESSED}

_OF_MESSAGES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def _syntaxes(suffixes: str) -> tuple[str, ...]:
    return tuple(f"1.2.840.10008.1.2{suffix}" for suffix in suffixes.split(" "))


_GOT_OF_ALL = _syntaxes(".1  .2 .1.99")  # uncompressed, deflated
_GOT_OF_IMAGES = _syntaxes(  # RLE, JPEG, JPEG-LS, JPEG 2000, HTJ2K
    ".5 .4.50 .4.51 .4.57 .4.70 .4.80 .4.81 .4.90 .4.91 .4.92 .4.93 .4.201 .4.202 .4.203"
)
_GOT_OF_VIDEO = _syntaxes(".4.100 .4.101 .4.102 .4.103 .4.104 .4.105 .4.107 .4.108")
_VIDEO = frozenset({"3.1", "7.4", "77.1.1.1", "77.1.2.1", "77.1.4.1"})
_WITHOUT_PIXELS = ("9.", "11.", "88.", "104.")  # waveforms, states, reports, documents

_REQUESTS_KEPT = 32
"""Association requests whose answers are kept."""
_KEPT_REQUEST_BYTES = 32 * 1024
"""Of such a request; those of PACS take ten kilobytes."""

PDU_BYTES_ASKED = 16 * 1024  # announced as requestor: only short answers come
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
    if abstract_syntax in _NOTIFICATIONS:
        return _UNCOMPRESSED
    return frozenset()


def agree(request: bytes, *, pdu_bytes_announced: int) -> Agreement | RejectReason:
    """The answer to an A-ASSOCIATE-RQ, without its 6-byte header (see `negotiate`).

    A PACS proposes a hundred contexts, in the same bytes each time that it sends what it was asked
    for; to take them apart costs tens of milliseconds, for which somebody waits at a screen.

    Raises:
        ProtocolError: see `decode_request`.
    """
    if len(request) > _KEPT_REQUEST_BYTES:
        return negotiate(*decode_request(request), pdu_bytes_announced=pdu_bytes_announced)
    return _agree_again(request, pdu_bytes_announced)


@lru_cache(_REQUESTS_KEPT)
def _agree_again(request: bytes, pdu_bytes_announced: int) -> Agreement | RejectReason:
    return negotiate(*decode_request(request), pdu_bytes_announced=pdu_bytes_announced)


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
    roles = _roles_asked(request)
    results, answered_roles = [], {}
    for asked in request.presentation_context_definition_list:
        result, role = _answer_context(asked, roles)
        results.append(result)
        if role is not None:
            answered_roles[str(asked.abstract_syntax)] = role
    answer = A_ASSOCIATE()
    answer.application_context_name = UID(APPLICATION_CONTEXT)
    answer.calling_ae_title = request.calling_ae_title
    answer.called_ae_title = request.called_ae_title
    answer.result = 0
    answer.result_source = 1
    answer.presentation_context_definition_results_list = results
    user_information = _answer_user_information(request, pdu_bytes_announced)
    answer.user_information = [*user_information, *answered_roles.values()]
    contexts = {
        result.context_id or 0: Context(str(result.abstract_syntax), str(result.transfer_syntax[0]))
        for result in results
        if result.result == 0
    }
    return Agreement(answer, contexts, _peer_pdu_bytes_max(request))


def ask_as_scp(sop_class: str, *, calling_ae: str, called_ae: str) -> A_ASSOCIATE:
    """A request for an association on which we, its requestor, are the SCP (PS3.7 §D.3.3.4)."""
    proposed = [(sop_class, _OF_MESSAGES)]
    return _ask(proposed, [sop_class], PDU_BYTES_ASKED, (calling_ae, called_ae))


def ask_as_scu(sop_classes: Iterable[str], *, calling_ae: str, called_ae: str) -> A_ASSOCIATE:
    """A request for an association on which we ask for these services."""
    proposed = [(name, _OF_MESSAGES) for name in sop_classes]
    return _ask(proposed, [], PDU_BYTES_ASKED, (calling_ae, called_ae))


def ask_to_get(
    sop_classes: Collection[str],
    storage: Collection[str],
    *,
    pdu_bytes_announced: int,
    calling_ae: str,
    called_ae: str,
) -> A_ASSOCIATE:
    """The same, and instances of these storage classes are stored to us on it (PS3.4 §C.5.3).

    Each class has a context for each transfer syntax, so that the peer has one for what it holds,
    as it holds it: in one context it would choose one syntax for all.

    Raises:
        ValueError: these are more contexts than an association has.
    """
    proposed = [
        *((name, _OF_MESSAGES) for name in sop_classes),
        *((name, [syntax]) for name in storage for syntax in syntaxes_got(name)),
    ]
    if len(proposed) > CONTEXTS_MAX:
        raise ValueError("more contexts than an association has")
    return _ask(proposed, storage, pdu_bytes_announced, (calling_ae, called_ae))


def syntaxes_got(sop_class: str) -> tuple[str, ...]:
    """Transfer syntaxes in which instances of a storage class are asked for."""
    kind = sop_class.removeprefix("1.2.840.10008.5.1.4.1.1.")
    if kind.startswith(_WITHOUT_PIXELS):
        return _GOT_OF_ALL
    return _GOT_OF_ALL + _GOT_OF_IMAGES + (_GOT_OF_VIDEO if kind in _VIDEO else ())


def _ask(
    proposed: Sequence[tuple[str, Sequence[str]]],
    as_scp: Iterable[str],
    pdu_bytes_announced: int,
    titles: tuple[str, str],
) -> A_ASSOCIATE:
    asked = A_ASSOCIATE()
    asked.application_context_name = UID(APPLICATION_CONTEXT)
    asked.calling_ae_title, asked.called_ae_title = titles
    contexts = []
    for number, (name, syntaxes) in enumerate(proposed):
        context = build_context(name, list(syntaxes))
        context.context_id = 2 * number + 1
        contexts.append(context)
    asked.presentation_context_definition_list = contexts
    asked.user_information = [*_introduction(pdu_bytes_announced), *map(_role_of_scp, as_scp)]
    return asked


def _role_of_scp(sop_class: str) -> SCP_SCU_RoleSelectionNegotiation:
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = UID(sop_class)
    role.scu_role, role.scp_role = False, True
    return role


def agreed(asked: A_ASSOCIATE, answer: A_ASSOCIATE) -> tuple[dict[int, Context], int]:
    """Contexts that the peer accepted, by id, and its PDU length; 0 is no limit.

    Its answer about roles is not looked at: many who accept the context leave it out.
    """
    names = {
        context.context_id: str(context.abstract_syntax)
        for context in asked.presentation_context_definition_list
    }
    contexts = {
        result.context_id or 0: Context(names[result.context_id], str(result.transfer_syntax[0]))
        for result in answer.presentation_context_definition_results_list
        if result.result == 0 and result.context_id in names and result.transfer_syntax
    }
    return contexts, _peer_pdu_bytes_max(answer)


def _answer_context(
    asked: PresentationContext, roles: _Roles
) -> tuple[PresentationContext, SCP_SCU_RoleSelectionNegotiation | None]:
    abstract_syntax = str(asked.abstract_syntax)
    known = transfer_syntaxes(abstract_syntax)
    offered = PresentationContext()
    offered.abstract_syntax = UID(abstract_syntax)
    offered.transfer_syntax = [name for name in asked.transfer_syntax if name in known]
    if known and not offered.transfer_syntax:
        offered.transfer_syntax = [min(known)]  # answered "transfer syntaxes not supported"
    offered.scu_role, offered.scp_role = True, False  # of the requestor: we are SCP only
    [result], answered = negotiate_as_acceptor([asked], [offered] if known else [], roles)
    return result, answered[0] if answered else None


def _roles_asked(request: A_ASSOCIATE) -> _Roles:
    """SCU and SCP role that the requestor proposes for each SOP class of which it says so."""
    return {
        UID(item.sop_class_uid): (bool(item.scu_role), bool(item.scp_role))
        for item in request.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation) and item.sop_class_uid
    }


def _answer_user_information(
    request: A_ASSOCIATE, pdu_bytes_announced: int
) -> list[UserInformation]:
    answers = _introduction(pdu_bytes_announced)
    for item in request.user_information:
        match item:
            case AsynchronousOperationsWindowNegotiation():
                window = AsynchronousOperationsWindowNegotiation()
                window.maximum_number_operations_invoked = 1
                window.maximum_number_operations_performed = 1
                answers.append(window)
            case UserIdentityNegotiation(positive_response_requested=True):
                # Who it says it is gives it no right, so whoever it is may be welcomed.
                identity = UserIdentityNegotiation()
                identity.server_response = b""
                answers.append(identity)
    return answers


def _introduction(pdu_bytes_announced: int) -> list[UserInformation]:
    length = MaximumLengthNotification()
    length.maximum_length_received = pdu_bytes_announced
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION
    return [length, implementation, version]


def _peer_pdu_bytes_max(request: A_ASSOCIATE) -> int:
    for item in request.user_information:
        if isinstance(item, MaximumLengthNotification):
            announced = item.maximum_length_received or 0
            return max(announced, PDU_BYTES_MIN) if announced else 0
    return 0
