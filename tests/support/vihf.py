"""Callers of each kind, as a VIHF can tell of them."""

from dataclasses import replace

from indexer.contract.access import Authentication, CallerKind, Purpose
from indexer.contract.document import Code, Person
from indexer.wire.proof import vocabulary as names
from tests.support.health_pki import a_doctor

DOCTOR = a_doctor()
CALLERS = {
    "a doctor": DOCTOR,
    "one of no speciality": replace(
        DOCTOR, role=Code(code="86", scheme=names.PROFESSIONS), speciality=None
    ),
    "one who publishes": replace(DOCTOR, authentication=Authentication.INDIRECT),
    "one in an emergency": replace(
        DOCTOR, purpose=Purpose.BREAK_GLASS, reason="Patient inconscient <& seul>"
    ),
    "one who regulates": replace(DOCTOR, purpose=Purpose.CENTRE_15, reason="appel du 15"),
    "one who is shown what representatives are not": replace(DOCTOR, secret=True),
    "a program": replace(
        DOCTOR,
        kind=CallerKind.SYSTEM,
        person=Person(number="899700367909", family="EVOSIPS, PFI, Imagerie"),
        role=names.ROLES_BY_KIND[CallerKind.SYSTEM],
        speciality=None,
    ),
    "the patient": replace(
        DOCTOR,
        kind=CallerKind.PATIENT,
        person=Person(number="", family="DESMAUX", given="Anne"),
        role=names.ROLES_BY_KIND[CallerKind.PATIENT],
        speciality=None,
        sector=None,
    ),
    "who stands for the patient": replace(
        DOCTOR,
        kind=CallerKind.REPRESENTATIVE,
        person=Person(number="", family="DESMAUX", given="Jeanne"),
        role=names.ROLES_BY_KIND[CallerKind.REPRESENTATIVE],
        speciality=None,
        sector=None,
    ),
}
