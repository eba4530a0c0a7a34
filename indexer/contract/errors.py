"""What can go wrong between a gateway and an index, sorted by what the gateway can do about it.

    ContractError
    ├── InvalidValue          the text is none of what it claims to be: send something else
    └── IndexFault
        ├── IndexUnavailable      try again, after `retry_after_s`
        ├── SubmissionRejected    the index refused for good: a person must look
        ├── NoRecord              there is no record to do it in: try again once there is one
        └── DocumentNotFound      the index holds no such document

Messages hold no patient data: they reach logs and peers.
"""

from indexer.contract.record import RecordState


class ContractError(Exception):
    """Root of what the contract raises."""


class InvalidValue(ContractError, ValueError):
    """A text is no UID, OID, INS or date."""


class IndexFault(ContractError):
    """The index did not do what it was asked."""


class IndexUnavailable(IndexFault):
    """The index does not answer now, or what became of a submission is unknown.

    Args:
        retry_after_s: seconds that the index asks to wait.
        never_sent: nothing of the request can have reached the index.
    """

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, never_sent: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.never_sent = never_sent

    def after_sending(self) -> "IndexUnavailable":
        """The same of a request that another went before, which may have reached the index."""
        return IndexUnavailable(str(self), retry_after_s=self.retry_after_s)


class SubmissionRejected(IndexFault):
    """The index refuses the submission and would refuse it again.

    Args:
        code: the index's own word for its reason, such as an OperationOutcome or XDS error code.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class NoRecord(IndexFault):
    """The patient has no record that takes this: nothing is wrong with what was sent.

    Args:
        state: why not; never `OPEN`.
    """

    def __init__(self, state: RecordState) -> None:
        super().__init__(f"there is no record to publish into: {state}")
        self.state = state


class DocumentNotFound(IndexFault):
    """The index holds no document at this place, or no longer."""
