"""FHIR: MHD, PDSm and MADO, as JSON and as XML."""
