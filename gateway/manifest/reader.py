"""Reads manifests, whoever wrote them and in whatever form.

`federation` asks where each series of a study can be had, and what it is. What is missing is
empty; what would make a viewer miss instances, or open another patient's, is an error.
"""

from typing import Final

from gateway.errors import InvalidRequest
from gateway.manifest.fhir_reader import read_fhir
from gateway.manifest.kos_reader import read_kos
from gateway.manifest.model import Manifest
from indexer.contract.errors import InvalidValue

SIZE_BYTES_MAX: Final = 8 * 2**20  # MADO takes some 600 bytes an instance, France 200


def read_manifest(data: bytes) -> Manifest:
    """The manifest in a file (PS3.10), or in a FHIR document Bundle in JSON.

    Raises:
        InvalidRequest: the bytes are no manifest, one that is cut off, or larger than is read.
    """
    if len(data) > SIZE_BYTES_MAX:
        raise InvalidRequest(f"the manifest is larger than {SIZE_BYTES_MAX} bytes")
    is_json = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    try:
        return read_fhir(data) if is_json else read_kos(data)
    except InvalidRequest:
        raise
    except InvalidValue as error:
        raise InvalidRequest(f"an identifier in the manifest is {error}") from None
    except Exception:  # pydicom raises whatever its parts raise on bytes that are no data set
        # Its words may quote the patient, so they go no further.
        raise InvalidRequest("the manifest cannot be read") from None
