"""What can be done on a patient's record, in one set of words: rights decide on it, and the
journal tells of it."""

from enum import StrEnum


class Act(StrEnum):
    """Something that somebody does, or tries to do, on one record."""

    FIND = "find"
    """Search it, or read what its index tells of a document."""
    READ = "read"
    """Read a document."""
    PUBLISH = "publish"
    REPLACE = "replace"
    """Publish what takes the place of something held."""
    CHANGE = "change"
    """Give a document another visibility."""
    WITHDRAW = "withdraw"
    AUTHORISE = "authorise"
    """Declare, or take back, that one may act on it (TD0.3)."""
    GOVERN = "govern"
    """Open or close it, and choose whom it lets in: the holder's."""
    READ_JOURNAL = "read-journal"
    EXTRACT = "extract"


class Exchange(StrEnum):
    """The transaction of IHE by which an act was asked for."""

    QUERY = "ITI-18"
    MEDIA = "ITI-32"
    PROVIDE = "ITI-41"
    RETRIEVE = "ITI-43"
    UPDATE = "ITI-57"
    PROVIDE_BUNDLE = "ITI-65"
    FIND_LISTS = "ITI-66"
    FIND_REFERENCES = "ITI-67"
    RETRIEVE_DOCUMENT = "ITI-68"
    PUBLISH = "ITI-105"
