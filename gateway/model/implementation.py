"""How this implementation of DICOM names itself, in associations and in files."""

from typing import Final

IMPLEMENTATION_CLASS_UID: Final = "2.25.200860529448821098608012751775781465886"
IMPLEMENTATION_VERSION: Final = "DRIM_GATEWAY"
"""At most 16 characters, PS3.7 Annex D.3.3.2.3."""
