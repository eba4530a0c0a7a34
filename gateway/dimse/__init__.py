"""Kit for DIMSE (PS3.7) over the DICOM upper layer (PS3.8). It knows nothing of studies.

Inbound associations are served by asyncio (`acceptor`), and results are told so, too
(`event_reports`); requests to a PACS run pynetdicom's own association on a bounded pool of threads
(`scu`); `move_mediator` joins the two into a retrieval.
"""

import logging

from pynetdicom import _config

# pynetdicom logs identifiers and quotes what it could not read: names, patient numbers, UIDs.
# What went wrong reaches our logs as the named events of this kit.
_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
