"""Which forms a manifest can be written in, and how an index tells them apart."""

from dataclasses import dataclass
from typing import Final

from gateway.manifest.kos import OwnSeries, write_french, write_xds_i
from gateway.manifest.mado_fhir import write_mado_fhir
from gateway.manifest.mado_kos import write_mado_kos
from gateway.manifest.model import MadoCodes, Manifest, ManifestForm
from indexer.contract.document import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How the index names a form (ITI TF-3 §4.2.3.2.9, §4.2.3.2.14)."""

    code: Code
    mime_type: str


_KEY_OBJECTS: Final = Format(
    code=Code(
        code="1.2.840.10008.5.1.4.1.1.88.59",
        scheme="1.2.840.10008.2.6.1",
        display="Document de Références d'objets d'imagerie selon profil IHE RAD XDS-I",
    ),
    mime_type="application/dicom",
)
_FHIR: Final = Format(
    code=Code(
        code="urn:ihe:rad:MADO:fhir-manifest:2026",
        scheme="1.3.6.1.4.1.19376.1.2.7.1",
        display="MADO FHIR Imaging Study Manifest",
    ),
    mime_type="application/fhir+json",
)
# MADO's key object document goes by the code of XDS-I.b: it is read by whoever reads that.
FORMATS: Final = {
    ManifestForm.FRENCH: _KEY_OBJECTS,
    ManifestForm.XDS_I: _KEY_OBJECTS,
    ManifestForm.MADO: _KEY_OBJECTS,
    ManifestForm.MADO_FHIR: _FHIR,
}


def write_manifest(
    manifest: Manifest, form: ManifestForm, *, own: OwnSeries, mado_codes: MadoCodes
) -> bytes:
    """The document; the same input, the same bytes.

    Args:
        own: of forms that are key object documents.
        mado_codes: of MADO's key object document.
    """
    match form:
        case ManifestForm.FRENCH:
            return write_french(manifest, own)
        case ManifestForm.XDS_I:
            return write_xds_i(manifest, own)
        case ManifestForm.MADO:
            return write_mado_kos(manifest, own, mado_codes)
        case ManifestForm.MADO_FHIR:
            return write_mado_fhir(manifest)
