"""Kit: the wire forms of DICOMweb (PS3.18), for whoever serves or asks."""
