"""Kit for DIMSE (PS3.7) over the DICOM upper layer (PS3.8). It knows nothing of studies.

Associations are one upper layer's, those that come (`acceptor`) and those that are asked for
(`requesting`): a PACS is asked on them (`requestor`), and results are told (`event_reports`).
`move_mediator` makes what a PACS is asked for, and what it then stores, one retrieval.
"""

import logging

from pynetdicom import _config

# pynetdicom logs identifiers and quotes what it could not read: names, patient numbers, UIDs.
# What went wrong reaches our logs as the named events of this kit.
_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
