"""An examination: what the RIS ordered, the modality made and the report tells."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from simulators.synthetic.identity import (
    ACCESSION_ISSUER,
    ORDER_ISSUER,
    Patient,
    make_patient,
)
from simulators.synthetic.uids import uid_of

TIME_ZONE = ZoneInfo("Europe/Paris")
_FIRST_DAY = datetime(2025, 1, 6, 8, 0, tzinfo=TIME_ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act of imaging in the words of the French value sets for CR-IMG."""

    loinc: str
    label: str
    region: str
    """SNOMED CT code of JDV_RegionAnatomique_CISIS."""
    region_label: str
    ccam: str = ""
    """Code of the act in the French classification; empty where the report leaves it out."""
    modality: str = ""
    """Code of the modality as the report writes it, where it is not that of the images."""


_THORAX = {"region": "67734004", "region_label": "segment thoracique du tronc"}
ACTS = {
    "CT": Act(loinc="24627-2", label="CT thorax", **_THORAX),
    "MR": Act(loinc="24590-2", label="RM cerveau", region="774007", region_label="tête et cou"),
    "CR": Act(loinc="36643-5", label="RX thorax ; 2 incidences", **_THORAX),
    "US": Act(
        loinc="24558-9",
        label="échographie abdomen",
        region="63337009",
        region_label="segment abdominopelvien du tronc",
    ),
    "MG": Act(
        loinc="24606-6",
        label="MG sein ; incidences pour dépistage",
        region="76752008",
        region_label="sein",
    ),
    "NM": Act(
        loinc="25007-6",
        label="MN glande thyroïde ; incidences avec I-131 IV",
        region="774007",
        region_label="tête et cou",
    ),
    "XA": Act(
        loinc="37174-0",
        label="angiographie par fluoroscopie artères coronaires",
        region="113257007",
        region_label="système cardiovasculaire",
    ),
}
MODALITIES = ("CT", "MR", "CR", "US", "MG")
"""Those of a small centre."""

_DESCRIPTIONS = {
    "CT": "Scanner du thorax sans injection",
    "MR": "IRM cérébrale",
    "CR": "Radiographie du thorax, face et profil",
    "US": "Échographie de l'abdomen",
    "MG": "Mammographie de dépistage",
    "NM": "Scintigraphie de la thyroïde",
    "XA": "Coronarographie",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One act on one patient, which makes one study."""

    study_uid: str
    patient: Patient
    modality: str
    description: str
    accession: str
    order: str
    """Number that the requester gave to the order."""
    study_id: str
    started_at: datetime
    accession_issuer: str = ACCESSION_ISSUER
    order_issuer: str = ORDER_ISSUER
    coded_act: Act | None = None
    """The act in words of its own; None takes those usual for the modality."""

    @property
    def act(self) -> Act:
        """The act's codes; a modality that this centre has not counts as a CT."""
        return self.coded_act or ACTS.get(self.modality, ACTS["CT"])


def make_examination(seed: int, number: int, modality: str) -> Examination:
    """The `number`-th examination of a seed, for a patient of its own."""
    rng = Random(f"examination/{seed}/{number}")
    return Examination(
        study_uid=uid_of("study", seed, number),
        patient=make_patient(seed, number, sex="F" if modality == "MG" else None),
        modality=modality,
        description=_DESCRIPTIONS[modality],
        accession=f"ACC{seed:03}{number:05}",
        order=f"DEM{seed:03}{number:05}",
        study_id=f"E{number:05}",
        started_at=_FIRST_DAY + timedelta(days=rng.randrange(300), minutes=rng.randrange(600)),
    )
