"""Unique identifiers that a seed decides."""

from uuid import NAMESPACE_OID, uuid5


def uid_of(*names: str | int) -> str:
    """The UID of what the names tell: the same names always give the same one.

    It is a UUID's number under the arc 2.25, which nobody has to register (PS3.5 §B.2).
    """
    return f"2.25.{uuid5(NAMESPACE_OID, '/'.join(map(str, names))).int}"
