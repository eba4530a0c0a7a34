"""Patients who cannot be real, with identities that are valid in form.

A patient's number stands under the national *test* OID, and its birth place is a commune that no
department has.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

INS_TEST_OID = "1.2.250.1.213.1.4.10"
"""Numbers under this OID are made for tests; nobody has one."""

# The agency's test arc: authorities of the numbers that an imaging centre gives.
PATIENT_ID_ISSUER = "1.2.250.1.213.4.5.2.4"
ACCESSION_ISSUER = "1.2.250.1.213.4.5.2.5"
ORDER_ISSUER = "1.2.250.1.213.4.5.2.6"

# œ is in no Latin-1 text and é is: both kinds of name must survive the way.
_FAMILIES = ("FICTIF", "DE L'ÉCHANTILLON", "LŒUVRE-TEST", "MODÈLE", "PATIENT-ESSAI", "NOËLLE-DÉMO")
_GIVEN = {
    "F": ("ZOÉ", "MARIE-CÉCILE", "HÉLOÏSE", "CŒLIA", "ANNE"),
    "M": ("LOÏC", "JEAN-RENÉ", "CÔME", "FRANÇOIS", "PAUL"),
}
_DEPARTMENTS = ("29", "2A", "2B", "33", "51", "63", "75")
_OLDEST = date(1932, 1, 1)
_BIRTH_DAYS = 33_000  # a bit over ninety years


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A structure by its national number (FINESS, without the digit that tells its kind)."""

    number: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Professional:
    """A doctor by national number (8, then RPPS)."""

    number: str
    family: str
    given: str


# The check digits are right and the numbers are nobody's.
CENTRE = Organisation(number="990000127", name="Centre d'imagerie de l'Échantillon")
RADIOLOGIST = Professional(number="810999000002", family="TESTEUR", given="ANNE")
REFERRER = Professional(number="810999000010", family="ESSAI", given="ÉLODIE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A patient's identity: the five strict traits, the national number and the local one."""

    ins: str
    ins_oid: str
    birth_name: str
    given_names: tuple[str, ...]
    birth_date: str
    """YYYYMMDD."""
    sex: str
    """M, F, or U where the images say neither."""
    birth_place: str
    """The commune's code in the official geographic code, five characters."""
    local_id: str
    """The centre's own number for the patient (IPP)."""
    local_id_issuer: str = PATIENT_ID_ISSUER

    @property
    def dicom_name(self) -> str:
        """The name as a modality writes it (PS3.5 §6.2, PN)."""
        return f"{self.birth_name}^{self.given_names[0]}"


def make_patient(
    seed: int, number: int, *, birth_date: str | None = None, sex: str | None = None
) -> Patient:
    """The `number`-th patient of a seed.

    Args:
        birth_date: YYYYMMDD, where the images tell it already.
        sex: M, F or another code of the images, which the identity then keeps as U.
    """
    rng = Random(f"patient/{seed}/{number}")
    born = birth_date or f"{_OLDEST + timedelta(days=rng.randrange(_BIRTH_DAYS)):%Y%m%d}"
    gender = sex if sex in ("F", "M") else rng.choice("FM")
    given = rng.sample(_GIVEN[gender], 2)
    # Communes end well below 990, which itself stands for "unknown".
    place = f"{rng.choice(_DEPARTMENTS)}{rng.randrange(991, 1000)}"
    return Patient(
        ins=_with_key(f"{'12'[gender == 'F']}{born[2:6]}{place}{rng.randrange(1, 1000):03}"),
        ins_oid=INS_TEST_OID,
        birth_name=rng.choice(_FAMILIES),
        given_names=tuple(given),
        birth_date=born,
        sex=gender if sex in (None, "", "F", "M") else "U",
        birth_place=place,
        local_id=f"IPP{seed:03}{number:05}",
    )


def _with_key(number: str) -> str:
    # Corsican departments count as 19 and 18 in the key of the social security number.
    as_digits = number.replace("2A", "19").replace("2B", "18")
    return f"{number}{97 - int(as_digits) % 97:02}"
