"""Every error the gateway raises, beside those of the index's contract.

    GatewayError
    ├── InvalidRequest       send something else (also an InvalidValue of the contract)
    │   ├── NotAcceptable        ask for another form of it
    │   ├── PreconditionFailed   what is here is not what you know
    │   ├── RangeNotSatisfiable  ask for bytes that it has
    │   └── TooBroad             ask for less
    ├── Unauthenticated      say who you are
    ├── AccessDenied         nothing: policy said no
    ├── NotFound             ask another place
    ├── Conflict             nothing: what is here does not fit together
    ├── Unavailable          try again, after `retry_after_s`
    │   ├── PacsUnavailable
    │   │   ├── PacsUnreachable  there is no connection to it
    │   │   ├── PacsBusy         with what it was asked before, for others
    │   │   ├── PacsRefused      it answered, with a status that says no
    │   │   └── PacsIncomplete   it sent a part, and could not send the rest
    │   ├── StorageUnavailable
    │   └── WorkerDied
    └── Rejected             a peer refused for good: a person must look
        └── PacsAnswerUnreadable

Messages say what was wrong and hold no patient data: they reach logs and peers.
"""

from indexer.contract.errors import InvalidValue


class GatewayError(Exception):
    """Root of what the gateway raises."""


class InvalidRequest(GatewayError, InvalidValue):
    """What was sent cannot be read; sending it again will not help."""


class NotAcceptable(InvalidRequest):
    """None of the forms that the caller takes can be given."""


class PreconditionFailed(InvalidRequest):
    """What is here is not what the caller makes a condition."""


class RangeNotSatisfiable(InvalidRequest):
    """None of the bytes that were asked for is there."""

    def __init__(self, message: str, *, size_bytes: int) -> None:
        super().__init__(message)
        self.size_bytes = size_bytes


class TooBroad(InvalidRequest):
    """What was asked for would take too long to find."""


class Unauthenticated(GatewayError):
    """The caller did not say who it is."""


class AccessDenied(GatewayError):
    """Policy said no."""


class NotFound(GatewayError):
    """It is not here."""


class Conflict(GatewayError):
    """What is here does not fit together, and a person must look before it is given."""


class Unavailable(GatewayError):
    """Something the gateway depends on does not answer now."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PacsUnavailable(Unavailable):
    """The PACS does not answer, or broke off."""


class PacsUnreachable(PacsUnavailable):
    """There is no connection to the PACS."""


class PacsBusy(PacsUnavailable):
    """The PACS answers, and is asked as much at once as it may be."""


class PacsRefused(PacsUnavailable):
    """The PACS refused a request with a status (PS3.7 Annex C)."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class PacsIncomplete(PacsUnavailable):
    """The PACS sent what it could, and could not send the rest."""


class StorageUnavailable(Unavailable):
    """The disk or the database cannot take more now."""


class WorkerDied(Unavailable):
    """A process of ours crashed on the work, or was ended for the time or memory that it took."""


class Rejected(GatewayError):
    """A peer refused for good."""


class PacsAnswerUnreadable(Rejected):
    """The PACS answered, and asking again would bring the same: it cannot be understood."""
