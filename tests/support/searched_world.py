"""Studies to search among, and searches to make, drawn from a seed. Nobody in them is real."""

from random import Random
from urllib.parse import quote

from pydicom import Dataset
from pydicom.sequence import Sequence

ROOT = "1.2.250.1.999.8"
CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "SR": "1.2.840.10008.5.1.4.1.1.88.11",
}
NAMES = (
    "DUPONT^JEAN-PIERRE", "Dupont^Jean", "DUPOND^JEANNE", "de la Tour^Éléonore", "DELATOUR^LÉO",
    "D'ARTAGNAN^CHARLES", "d’Artagnan^Chloé", "LEBŒUF^Cœlia", "LEBOEUF^COELIA", "Garçon^François",
    "GARCON^FRANCOISE^MARIE^^", "LE GOFF^Maël", "Müller^Zoë", "NOËL", "N'DIAYE^AÏSSATOU",
    "MARTIN-DURAND^ANNE=山田^太郎=やまだ^たろう", "", "O[X]^A%B_C",
)  # fmt: skip
PATIENTS = ("P1", "P2", "p2", "P 3", "P10", "X*", "")
DATES = ("20260102", "20260103", "20251231", "20240229", "")
TIMES = ("102500", "1025", "10", "235959.5", "102500.250000", "")
NUMBERS = ("1", "01", "2", "10", "")
TEXTS = ("CHEST", "HEAD", "Chest", "")


def a_world(seed: int, *, studies: int) -> list[Dataset]:
    """Every instance of some studies, without pixels; alike within a study and within a series."""
    random = Random(seed)
    instances = []
    for number in range(studies):
        study = _a_study(random, f"{ROOT}.{number + 1}")
        for series_number in range(random.randint(1, 3)):
            series = _a_series(random, study, series_number + 1)
            for instance_number in range(random.randint(1, 3)):
                ds = Dataset()
                ds.update(series)
                ds.SOPInstanceUID = f"{series.SeriesInstanceUID}.{instance_number + 1}"
                ds.InstanceNumber = random.choice(NUMBERS)
                ds.Rows = ds.Columns = 16
                ds.BitsAllocated = 16
                instances.append(ds)
    return instances


def _a_study(random: Random, uid: str) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.StudyInstanceUID = uid
    ds.PatientName = random.choice(NAMES)
    ds.ReferringPhysicianName = random.choice(NAMES)
    ds.PatientID = random.choice(PATIENTS)
    ds.IssuerOfPatientID = random.choice(("CENTRE", ""))
    ds.PatientBirthDate = random.choice(DATES)
    ds.PatientSex = random.choice("MFO")
    ds.AccessionNumber = random.choice(("ACC1", "ACC2", ""))
    ds.StudyDate = random.choice(DATES)
    ds.StudyTime = random.choice(TIMES)
    ds.StudyID = random.choice(("1", "S 2", ""))
    ds.StudyDescription = random.choice(("Scanner du crâne", "IRM", ""))
    others = []
    for _ in range(random.randint(0, 2)):
        item = Dataset()
        item.PatientID = random.choice(("255069999900101", "INS2", ""))
        item.IssuerOfPatientID = random.choice(("INS-NIR", "OTHER"))
        others.append(item)
    if others:
        ds.OtherPatientIDsSequence = Sequence(others)
    return ds


def _a_series(random: Random, study: Dataset, number: int) -> Dataset:
    ds = Dataset()
    ds.update(study)
    ds.SeriesInstanceUID = f"{study.StudyInstanceUID}.{number}"
    ds.Modality = random.choice(sorted(CLASSES))
    ds.SOPClassUID = CLASSES[ds.Modality]
    ds.SeriesNumber = random.choice(NUMBERS)
    ds.SeriesDescription = random.choice(("Axial", "axial T2", ""))
    ds.PerformedProcedureStepStartDate = random.choice(DATES)
    ds.PerformedProcedureStepStartTime = random.choice(TIMES)
    ds.BodyPartExamined = random.choice(TEXTS)
    ds.InstitutionName = random.choice(("CHU de Démo", ""))
    ds.StationName = random.choice(("CT1", ""))
    requests = []
    for _ in range(random.randint(0, 2)):
        item = Dataset()
        item.ScheduledProcedureStepID = random.choice(("SPS1", "SPS2"))
        item.RequestedProcedureID = random.choice(("RP1", "RP2"))
        requests.append(item)
    if requests:
        ds.RequestAttributesSequence = Sequence(requests)
    return ds


_TEXT_FORMS = {
    "PatientID": ("P1", "P2", "p2", "P*", "?1", "*", "P 3", "X*", "P1\\P2", '""', "P??"),
    "IssuerOfPatientID": ("CENTRE", "C*", '""', "centre"),
    "AccessionNumber": ("ACC1", "ACC?", "*2", '""', "ACC1\\ACC2"),
    "StudyID": ("1", "S 2", "S*", '""'),
    "StudyDescription": ("Scanner du crâne", "*crâne", "scanner*", "I?M", '""'),
    "PatientSex": ("M", "F\\O", "?"),
    "ModalitiesInStudy": ("CT", "MR\\US", "C*", "*R", '""', "?T"),
    "Modality": ("CT", "SR", "?R", "CT\\MR", '""'),
    "SeriesDescription": ("Axial", "?xial*", '""'),
    "BodyPartExamined": ("CHEST", "*EST", '""'),
    "InstitutionName": ("CHU*", '""'),
    "StationName": ("CT1", '""'),
    "PatientName": (
        "DUPONT*", "dupont^jean", "dupont^jean?pierre", "*jean*", "DE LA TOUR*", "lebœuf^coelia",
        "GARÇON*", "d'artagnan^c*", "noel", "noel*", "*=山*", "MARTIN*=山田^太郎", "*", "?O[X]*",
        "o[x]^a%b*", '""', "DUPONT^JEAN\\NOËL", "n diaye*", "dupont^jean^",
    ),
    "ReferringPhysicianName": ("*goff*", "MULLER*", "müller^zoë", '""'),
}  # fmt: skip
_FUZZY = (
    "jean", "pierre dup", "dupont jean", "^jean", "DUPONT^", "tour", "de la tour", "delatour",
    "latour", "Éléonore Tour", "artagnan", "dartagnan", "leboeuf", "cœlia", "francois", "goff le",
    "ndiaye", "aissatou", "muller", "jeanpierre", "martin durand anne", "山田", "de", "dup*", "zzz",
)  # fmt: skip
_DATE_FORMS = (
    "20260102", "20251231-20260102", "-20251231", "20260103-", "20240101-20241231", '""',
    "20240229", "20260102 - 20260103",
)  # fmt: skip
_TIME_FORMS = (
    "102500", "10", "1025", "0900-1030", "-1025", "1025-", "102500.25", "235959.5-", '""',
    "102500.2-102500.3",
)  # fmt: skip
_NUMBER_FORMS = ("1", "01", "+2", "10", '""', "1\\2")
_ITEM_FORMS = {
    "OtherPatientIDsSequence.PatientID": ("255069999900101", "INS*", '""'),
    "OtherPatientIDsSequence.IssuerOfPatientID": ("INS-NIR", "O*"),
    "RequestAttributesSequence.ScheduledProcedureStepID": ("SPS1", "SPS?", '""'),
    "RequestAttributesSequence.RequestedProcedureID": ("RP1", "RP2"),
}
_FORMS: dict[str, tuple[str, ...]] = {
    **_TEXT_FORMS,
    **_ITEM_FORMS,
    "StudyDate": _DATE_FORMS,
    "PatientBirthDate": _DATE_FORMS,
    "PerformedProcedureStepStartDate": _DATE_FORMS,
    "StudyTime": _TIME_FORMS,
    "PerformedProcedureStepStartTime": _TIME_FORMS,
    "SeriesNumber": _NUMBER_FORMS,
    "InstanceNumber": _NUMBER_FORMS,
    "SOPClassUID": (CLASSES["CT"], f"{CLASSES['MR']},{CLASSES['SR']}"),
    "SOPClassesInStudy": (CLASSES["US"],),
    "StudyInstanceUID": (f"{ROOT}.1", f"{ROOT}.2,{ROOT}.3", f"{ROOT}.4\\{ROOT}.5"),
    "SeriesInstanceUID": (f"{ROOT}.1.1", f"{ROOT}.2.1,{ROOT}.3.2"),
    "SOPInstanceUID": (f"{ROOT}.1.1.1",),
}


def each_form() -> list[tuple[dict[str, str], set[str]]]:
    """Each value of each key alone, read as it was meant."""
    searches: list[tuple[dict[str, str], set[str]]] = []
    for keyword, forms in _FORMS.items():
        searches += [({keyword: form}, _flags_for(form)) for form in forms]
    searches += [({"PatientName": form}, {"fuzzy"}) for form in _FUZZY]
    searches += [({"ReferringPhysicianName": form}, {"fuzzy"}) for form in _FUZZY]
    return searches


def drawn_search(random: Random) -> tuple[dict[str, str], set[str]]:
    """Two to four keys together."""
    asked = {
        keyword: random.choice(_FORMS[keyword])
        for keyword in random.sample(sorted(_FORMS), random.randint(2, 4))
    }
    flags = {flag for value in asked.values() for flag in _flags_for(value)}
    if random.random() < 0.2:
        asked["PatientName"] = random.choice(_FUZZY)
        flags.add("fuzzy")
        asked.pop("ReferringPhysicianName", None)
    return asked, flags


def _flags_for(form: str) -> set[str]:
    return ({"multiple"} if "\\" in form else set()) | ({"empty"} if form == '""' else set())


def as_parameters(asked: dict[str, str], flags: set[str]) -> list[tuple[str, str]]:
    """The parameters of a request."""
    names = {"fuzzy": "fuzzymatching", "empty": "emptyvaluematching"}
    return [
        *asked.items(),
        *((names.get(flag, "multiplevaluematching"), "true") for flag in sorted(flags)),
    ]


def as_query(asked: dict[str, str], flags: set[str]) -> str:
    """The same, percent-encoded."""
    pairs = as_parameters(asked, flags)
    return "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in pairs)
