"""What our own words in a rendered text are, in French and English."""

from typing import Final

FRENCH, ENGLISH = "fr", "en"
LANGUAGES: Final = (FRENCH, ENGLISH)

WORDS: Final = {
    "patient": ("Patient", "Patient"),
    "born": ("Né(e) le", "Born"),
    "sex": ("Sexe", "Sex"),
    "id": ("Identifiant", "Id"),
    "study": ("Examen", "Study"),
    "accession": ("Numéro d'accession", "Accession number"),
    "institution": ("Établissement", "Institution"),
    "written": ("Rédigé le", "Written"),
    "author": ("Auteur", "Author"),
    "verified": ("Validé par", "Verified by"),
    "unverified": ("Document non validé", "This document is not verified"),
    "partial": ("Document incomplet", "This document is partial"),
    "untitled": ("Document", "Document"),
    "image": ("image", "image"),
    "waveform": ("tracé", "waveform"),
    "object": ("objet", "object"),
    "frames": ("coupes", "frames"),
    "region": ("zone", "region"),
    "same_as": ("voir", "see"),
    "omitted": ("La suite n'est pas affichée.", "The rest is not shown."),
}


def word(name: str, language: str) -> str:
    """The word in a language of `LANGUAGES`."""
    return WORDS[name][LANGUAGES.index(language)]


def preferred_language(accept_language: str) -> str:
    """The language to use (RFC 9110 §12.5.4): English where it is named before French."""
    named = [part.split(";")[0].strip().lower()[:2] for part in accept_language.split(",")[:16]]
    known = [language for language in named if language in LANGUAGES]
    return known[0] if known else FRENCH
