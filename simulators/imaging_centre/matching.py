"""How a PACS compares an attribute with what a query asks of it (PS3.4 §C.2.2.2)."""

import re
from collections.abc import Iterable

from pydicom.dataelem import DataElement

_RANGED = frozenset({"DA", "TM", "DT"})
_WITH_WILDCARDS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})


def matches(key: DataElement, values: Iterable[object]) -> bool:
    """Whether one of an entity's values satisfies a query's key; an empty key takes anything."""
    if key.VR == "SQ" or key.is_empty:
        return True
    wanted = [str(value) for value in (key.value if key.VM > 1 else [key.value])]
    return any(_fits(key.VR, text, str(value)) for value in values for text in wanted)


def _fits(vr: str, wanted: str, value: str) -> bool:
    if vr in _RANGED and "-" in wanted:
        first, _, last = wanted.partition("-")
        return value != "" and (not first or value >= first) and (not last or value <= last)
    if vr in _WITH_WILDCARDS and ("*" in wanted or "?" in wanted):
        pattern = re.escape(wanted).replace(r"\*", ".*").replace(r"\?", ".")
        return re.fullmatch(pattern, value, _case(vr)) is not None
    if vr == "PN":
        return wanted.casefold().rstrip("^") == value.casefold().rstrip("^")
    return wanted == value


def _case(vr: str) -> re.RegexFlag:
    # Names may be matched without regard to case; other texts may not (PS3.4 §C.2.2.2.1).
    return re.DOTALL | re.IGNORECASE if vr == "PN" else re.DOTALL
