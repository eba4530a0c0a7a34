"""Changes to a message that make it something else than its sender meant."""

from collections.abc import Callable

from lxml import etree

from indexer.wire.soap.mtom import XOP_INCLUDE
from indexer.wire.xds import vocabulary as names
from indexer.wire.xml import Element
from tests.support.xds import SPACES

Change = Callable[[Element], None]


def drop(path: str) -> Change:
    def change(body: Element) -> None:
        for one in body.findall(path, SPACES):
            one.getparent().remove(one)  # type: ignore[union-attr]

    return change


def put(path: str, name: str, value: str) -> Change:
    def change(body: Element) -> None:
        found = body.findall(path, SPACES)
        assert found
        for one in found:
            one.set(name, value)

    return change


def say(slot: str, text: str) -> Change:
    def change(body: Element) -> None:
        found = body.find(f".//rim:Slot[@name='{slot}']/rim:ValueList/rim:Value", SPACES)
        assert found is not None
        found.text = text

    return change


def repeat(path: str) -> Change:
    def change(body: Element) -> None:
        found = body.find(path, SPACES)
        assert found is not None
        parent = found.getparent()
        assert parent is not None
        copy = type(found).__copy__(found)  # type: ignore[attr-defined]
        parent.append(copy)

    return change


def share_part(body: Element) -> None:
    """Have all documents refer to the part of the first."""
    first, *others = body.iter(XOP_INCLUDE)
    for one in others:
        one.set("href", first.get("href", ""))


def classify(symbol: str, scheme: str, code: str) -> Change:
    """Classify an object from outside it, as ebRIM 3.0 §4.3 allows."""

    def change(body: Element) -> None:
        objects = body.find(".//rim:RegistryObjectList", SPACES)
        assert objects is not None
        element = etree.SubElement(
            objects,
            f"{{{names.RIM}}}Classification",
            id="Outside",
            classifiedObject=symbol,
            classificationScheme=scheme,
            nodeRepresentation=code,
        )
        slot = etree.SubElement(element, f"{{{names.RIM}}}Slot", name="codingScheme")
        listed = etree.SubElement(slot, f"{{{names.RIM}}}ValueList")
        etree.SubElement(listed, f"{{{names.RIM}}}Value").text = "1.2.250.1.213.1.1.4.13"

    return change
