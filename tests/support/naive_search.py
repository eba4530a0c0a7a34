"""A search as PS3.4 §C.2.2.2 words it, over data sets in memory, to judge the gateway's by.

It looks at everything, knows no index and shares no code with the gateway: values are compared in
Python, names by a table of what each letter is without its accent.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag

STUDIES, SERIES, INSTANCES = "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"
LEVELS = (STUDIES, SERIES, INSTANCES)

PLAIN = dict(zip("àâäáãçéèêëíîïìñóôöòõúùûüÿý", "aaaaaceeeeiiiinooooouuuuyy", strict=True)) | {
    "œ": "oe",
    "æ": "ae",
}
PARTICLES = set(
    "d de du des l le la les della di da dos das van von der den ten ter zu zur".split()
)
PAIRS = {
    "StudyDate": "StudyTime",
    "PerformedProcedureStepStartDate": "PerformedProcedureStepStartTime",
}


class NaiveSearch:
    """All instances, and what of them a query finds."""

    def __init__(self, instances: Iterable[Dataset]) -> None:
        ordered = sorted(instances, key=lambda ds: tuple(str(ds[one].value) for one in LEVELS))
        of_study: dict[str, list[Dataset]] = {}
        for ds in ordered:
            of_study.setdefault(str(ds.StudyInstanceUID), []).append(ds)
        self._told = [(_told(ds, of_study[str(ds.StudyInstanceUID)]), ds) for ds in ordered]

    def find(self, level: str, asked: Mapping[str, str], flags: Iterable[str] = ()) -> list[str]:
        """Unique ids of what is found, in their order.

        Args:
            asked: values by keyword, or by keywords with dots.
            flags: `fuzzy`, `empty`, `multiple`.
        """
        found: dict[str, None] = {}
        for told, ds in self._told:
            if self._matches(told, ds, asked, set(flags)):
                found[told[level][0]] = None
        return list(found)

    def _matches(
        self,
        told: Mapping[str, list[str]],
        ds: Dataset,
        asked: Mapping[str, str],
        flags: set[str],
    ) -> bool:
        asked = dict(asked)
        for date, time in PAIRS.items():
            if "-" in asked.get(date, "") and _form(asked.get(time, "")) == _form(asked[date]):
                instant = _first(told.get(date)) + (_padded(_first(told.get(time))))
                if not _first(told.get(date)) or not _within_instants(
                    instant, asked.pop(date), asked.pop(time)
                ):
                    return False
        sequences: dict[str, dict[str, str]] = {}
        for path, value in asked.items():
            if "." in path:
                sequence, _, keyword = path.partition(".")
                sequences.setdefault(sequence, {})[keyword] = value
            elif not matches(path, value, told.get(path, []), flags):
                return False
        return all(
            _item_matches(ds.get(sequence) or [], keys, flags)
            for sequence, keys in sequences.items()
        )


def _told(ds: Dataset, of_study: Iterable[Dataset]) -> dict[str, list[str]]:
    """The values of an instance, with those that its study is told by."""
    told: dict[str, list[str]] = {}
    for element in ds:
        keyword = keyword_for_tag(element.tag)
        if keyword and element.VR != "SQ":
            told[keyword] = [part for part in _text(element.value).split("\\") if part]
    of_study = list(of_study)
    told["ModalitiesInStudy"] = sorted({one.Modality for one in of_study if one.Modality})
    told["SOPClassesInStudy"] = sorted({str(one.SOPClassUID) for one in of_study})
    return told


def matches(keyword: str, value: str, told: Sequence[str], flags: set[str]) -> bool:
    """Whether one attribute of these values meets a key's value."""
    value = value.strip()
    vr = dictionary_VR(keyword)
    if not value:
        return True
    alternatives = [value]
    if vr == "UI" or "multiple" in flags:
        commas = vr in ("UI", "IS", "DA", "TM", "CS")
        alternatives = re.split(r"[\\,]" if commas else r"\\", value)
    for one in (part.strip() for part in alternatives):
        if one == "*":
            return True
        if "empty" in flags and one == '""':
            if not told:
                return True
        elif vr == "PN" and "fuzzy" in flags:
            if any(_is_like(one, name) for name in told or [""]):
                return True
        elif any(_single(vr, one, each) for each in told):
            return True
    return False


def _single(vr: str, asked: str, told: str) -> bool:
    if vr == "DA":
        low, high = _ends(asked)
        return (not low or told >= low) and (not high or told <= high)
    if vr == "TM":
        low, high = _ends(asked)
        moment = _moment(told)
        return (not low or moment >= _moment(low)) and (not high or moment < _after(high))
    if vr == "IS":
        return int(asked) == int(told)
    if vr == "PN":
        groups = zip(asked.split("="), [*told.split("="), "", ""], strict=False)
        return all(not want or _glob(_plain(want), _plain(have)) for want, have in groups)
    return _glob(asked, told)


def _glob(pattern: str, text: str) -> bool:
    if not set(pattern) & set("*?"):
        return pattern.rstrip("^ ") == text.rstrip("^ ")
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _is_like(asked: str, name: str) -> bool:
    have = [_words(part) for part in re.split(r"[\^=]", name)]
    words = {word for part in have for word in (*_without_particles(part), "".join(part))}
    for part in re.split(r"[\^=]", asked.replace("*", " ").replace("?", " ")):
        want = _words(part)
        ways = [_without_particles(want), ["".join(want)]]
        if want and not any(all(any(w.startswith(x) for w in words) for x in way) for way in ways):
            return False
    return True


def _words(text: str) -> list[str]:
    return _plain(text).replace("^", " ").split()


def _without_particles(words: list[str]) -> list[str]:
    return [word for word in words if word not in PARTICLES] or words


def _plain(name: str) -> str:
    letters = "".join(PLAIN.get(letter, letter) for letter in name.lower())
    parts = [" ".join(re.split(r"[\s'’_.-]+", part)).strip() for part in letters.split("^")]
    return "^".join(parts).rstrip("^ ")


def _item_matches(items: Sequence[Dataset], keys: Mapping[str, str], flags: set[str]) -> bool:
    wanted = {keyword: value for keyword, value in keys.items() if value}
    if not wanted:
        return True
    if not items and all(value == '""' for value in wanted.values()) and "empty" in flags:
        return True
    return any(
        all(
            matches(keyword, value, [text] if (text := _text(item.get(keyword))) else [], flags)
            for keyword, value in wanted.items()
        )
        for item in items
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue":
        return "\\".join(str(one) for one in value)  # type: ignore[attr-defined]
    return str(value)


def _first(told: Sequence[str] | None) -> str:
    return told[0] if told else ""


def _form(text: str) -> tuple[bool, bool] | None:
    if "-" not in text:
        return None
    low, _, high = text.partition("-")
    return bool(low.strip()), bool(high.strip())


def _ends(asked: str) -> tuple[str, str]:
    if "-" not in asked:
        return asked, asked
    low, _, high = asked.partition("-")
    return low.strip(), high.strip()


def _padded(time: str) -> str:
    return time.ljust(6, "0") if time else ""


def _moment(time: str) -> timedelta:
    """Since midnight."""
    whole, _, fraction = time.partition(".")
    hours, minutes, seconds = (int(whole.ljust(6, "0")[at : at + 2]) for at in (0, 2, 4))
    micros = int(fraction.ljust(6, "0") or 0)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micros)


def _after(time: str) -> timedelta:
    """The first instant after what is told of a time."""
    whole, _, fraction = time.partition(".")
    if fraction:
        return _moment(time) + timedelta(microseconds=10 ** (6 - len(fraction)))
    length = {2: timedelta(hours=1), 4: timedelta(minutes=1), 6: timedelta(seconds=1)}
    return _moment(time) + length[len(whole)]


def _within_instants(instant: str, dates: str, times: str) -> bool:
    """Dates and times of one form of range are one range of instants (PS3.4 §C.2.2.2.5.4)."""
    (first_day, last_day), (first_time, last_time) = _ends(dates), _ends(times)
    day, time = instant[:8], instant[8:]
    if first_day and (day < first_day or (day == first_day and not time)):
        return False
    if first_day and day == first_day and _moment(time) < _moment(first_time):
        return False
    if last_day and day == last_day and time and _moment(time) >= _after(last_time):
        return False
    return not last_day or day <= last_day
