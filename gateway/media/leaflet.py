"""What a person finds first in an archive of their images, in French and in English.

It names nobody, for an archive is handed on.
"""

from collections.abc import Iterator
from typing import Final


def leaflets(*, missing: int) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files.

    Args:
        missing: how many images of the exam are not in the archive.
    """
    for name, text, lacks in (
        ("LISEZMOI.TXT", _FRENCH, _FRENCH_LACKS),
        ("README.TXT", _ENGLISH, _ENGLISH_LACKS),
    ):
        told = text.format(lacks=lacks.format(missing=missing) if missing else "")
        # Old editors of Windows know UTF-8 by its mark, and lines by both characters.
        yield name, told.replace("\n", "\r\n").encode("utf-8-sig")


_FRENCH: Final = """IMAGES MÉDICALES
================
{lacks}
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
{lacks}
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

_FRENCH_LACKS: Final = """
ATTENTION : l'archive est incomplète. {missing} image(s) n'ont pas pu être jointes.
Demandez-la de nouveau plus tard.
"""

_ENGLISH_LACKS: Final = """
WARNING: the archive is not complete. {missing} image(s) could not be added.
Ask for it again later.
"""
