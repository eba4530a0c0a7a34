"""Puts together what publishes pointers."""

from collections.abc import Callable
from random import random
from uuid import uuid4

from gateway.app.parts import Parts, centre_of, milliseconds
from gateway.model.decision import PublicationPolicy
from gateway.publication.publisher import Publisher
from gateway.publication.revision import RevisionBuilder


def build_publisher(parts: Parts, *, on_enqueued: Callable[[], None]) -> Publisher:
    settings = parts.settings
    return Publisher(
        parts.database,
        parts.studies,
        parts.standings,
        parts.outbox,
        pacs=parts.directory,
        policy=PublicationPolicy(
            ins_oids=settings.ins_oids | parts.policy.more_ins_oids,
            has_pacs=bool(settings.pacs),
            settle_ms=milliseconds(settings.study_settle_s),
            images_wait_ms=milliseconds(settings.images_wait_s),
            honour_destdmp=settings.honour_destdmp,
        ),
        submission=RevisionBuilder(centre_of(settings), uid_root=settings.uid_root),
        submission_id=lambda: uuid4().hex,
        clock=parts.clock,
        draw=random,
        on_enqueued=on_enqueued,
    )
