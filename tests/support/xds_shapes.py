"""Whether a message has the shape that the standards of XDS.b give it."""

from functools import cache
from pathlib import Path

from lxml import etree

from indexer.wire.xml import Element


@cache
def _shapes() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(Path(__file__).with_suffix(".rng")))


def faults_of(body: Element) -> list[str]:
    """What is wrong with the shape of a message's body; nothing where it is right."""
    alone = etree.fromstring(etree.tostring(body))  # a part of a message is none of its own
    shapes = _shapes()
    if shapes.validate(alone):
        return []
    return [str(error.message) for error in shapes.error_log] or ["of another shape"]
