"""The application entity that does a PACS's moves."""

from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, _config
from pynetdicom.association import Association


class Mover(AE):
    """pynetdicom's application entity, where it carries out the C-STOREs of a C-MOVE.

    Left alone it names itself as the move's originator, which is the one who asked for the move
    (PS3.7 §9.1.1.1), and writes each data set anew, where a file's bytes can go as they are.
    """

    def associate(  # type: ignore[override]  # narrower: called for the sub-operations alone
        self, addr: str, port: int, *, originator: str, **options: Any
    ) -> Association:
        """Open the association of one move's sub-operations.

        Args:
            originator: AE title of the one who asked for the move.
        """
        association = super().associate(addr, port, **options)
        send = association.send_c_store

        def send_file(header: Dataset, msg_id: int, originator_id: int, **_: Any) -> Dataset:
            _config.STORE_SEND_CHUNKED_DATASET = True
            return send(
                header.filename, msg_id, originator_aet=originator, originator_id=originator_id
            )

        association.send_c_store = send_file  # type: ignore[method-assign,assignment]
        return association
