"""Synthetic patients have identities that are valid in form and can be nobody's."""

import re

from simulators.synthetic.identity import INS_TEST_OID, make_patient

MANY = [make_patient(3, number) for number in range(300)]


def test_the_key_of_each_number_is_right() -> None:
    for patient in MANY:
        digits = patient.ins[:13].replace("2A", "19").replace("2B", "18")

        assert re.fullmatch(r"[12]\d{4}(\d\d|2[AB])\d{8}", patient.ins)
        assert int(patient.ins[13:]) == 97 - int(digits) % 97


def test_a_published_number_of_a_test_patient_has_the_same_key() -> None:
    """The rule is checked against numbers that the agency published for tests."""
    published = ("279035121518989", "162018885045327", "248039263001064", "265075598096690")

    assert all(int(ins[13:]) == 97 - int(ins[:13]) % 97 for ins in published)


def test_the_number_tells_the_same_as_the_traits() -> None:
    for patient in MANY:
        assert patient.ins[0] == {"M": "1", "F": "2"}[patient.sex]
        assert patient.ins[1:5] == patient.birth_date[2:6]
        assert patient.ins[5:10] == patient.birth_place


def test_every_number_stands_under_the_test_authority() -> None:
    assert {patient.ins_oid for patient in MANY} == {INS_TEST_OID}


def test_no_department_has_their_birth_places() -> None:
    assert all(int(patient.birth_place[2:]) > 990 for patient in MANY)


def test_some_names_fit_no_latin_1_and_some_are_from_corsica() -> None:
    names = " ".join(patient.dicom_name for patient in MANY)

    assert "œ".upper() in names
    assert "É" in names
    assert any(patient.birth_place.startswith("2A") for patient in MANY)


def test_the_same_seed_makes_the_same_patient() -> None:
    assert make_patient(3, 7) == MANY[7]
    assert make_patient(4, 7) != MANY[7]


def test_traits_that_images_tell_are_kept() -> None:
    told = make_patient(3, 1, birth_date="19011231", sex="F")
    neither = make_patient(3, 1, sex="O")

    assert (told.birth_date, told.sex, told.ins[:5]) == ("19011231", "F", "20112")
    assert neither.sex == "U"
