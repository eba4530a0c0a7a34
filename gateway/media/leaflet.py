"""What a person finds first in an archive of their images, in French and in English.

It names nobody, for an archive is handed on.
"""

from collections.abc import Iterator
from typing import Final


def leaflets() -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files."""
    for name, text in (("LISEZMOI.TXT", _FRENCH), ("README.TXT", _ENGLISH)):
        # Old editors of Windows know UTF-8 by its mark, and lines by both characters.
        yield name, text.replace("\n", "\r\n").encode("utf-8-sig")


_FRENCH: Final = """IMAGES MÉDICALES
================

Cette archive contient des images d'un examen médical, telles que le centre d'imagerie les
conserve. Elles sont au format DICOM, que tous les services d'imagerie savent lire.

Les regarder
------------
    1. Extrayez toute l'archive dans un dossier.
    2. Ouvrez ce dossier, ou le fichier DICOMDIR, avec un logiciel de visualisation DICOM.
    Un logiciel qui n'est pas un dispositif médical ne permet pas de poser un diagnostic.

Les remettre à un professionnel de santé
----------------------------------------
    Donnez l'archive entière, ou tout le dossier. Ne renommez pas les fichiers.

Les protéger
------------
    Ces images sont des données de santé et nomment le patient : identité, numéro national
    (INS). Ne les publiez pas, et ne les confiez qu'à des personnes de confiance.

Ce que contient l'archive
-------------------------
    DICOMDIR        la liste des images
    DICOM           les images : un dossier par série
    LISEZMOI.TXT    ce texte
    README.TXT      le même en anglais
"""

_ENGLISH: Final = """MEDICAL IMAGES
==============

This archive holds images of a medical exam as the imaging centre keeps them. They are in the DICOM
format, which every imaging department can read.

To look at them
---------------
    1. Extract the whole archive into a folder.
    2. Open this folder, or the file DICOMDIR, with a DICOM viewer.
    A program that is no medical device is not meant for diagnosis.

To hand them to a health professional
-------------------------------------
    Give the whole archive, or the whole folder. Do not rename the files.

To protect them
---------------
    These images are health data and name the patient: identity, national number (INS). Do not
    publish them, and give them only to people whom you trust.

What is in the archive
----------------------
    DICOMDIR        the list of the images
    DICOM           the images: a folder for each series
    LISEZMOI.TXT    this text in French
    README.TXT      this text
"""
