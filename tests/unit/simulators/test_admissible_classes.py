"""The viewer expects in a manifest what the national value set admits."""

from lxml import etree

from simulators.viewers.admissible import ADMISSIBLE
from tests.support.peers import shared_data

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"


def test_they_are_the_value_set_and_key_objects() -> None:
    published = etree.parse(shared_data() / "ans" / "jdv" / "JDV_SOPClass_CISIS.xml")

    codes = {concept.get("code") for concept in published.iter("{*}Concept")}

    assert len(codes) == 47
    assert codes | {KEY_OBJECT_SELECTION} == ADMISSIBLE
