"""Puts together what publishes pointers."""

from collections.abc import Callable
from random import random
from typing import Final
from uuid import uuid4

from gateway.app.parts import Parts, centre_of, milliseconds
from gateway.model.decision import CentreDefaults, PublicationPolicy
from gateway.publication.publisher import Publisher
from gateway.publication.revision import RevisionBuilder
from gateway.settings import Settings
from indexer.contract.document import Code, Organisation, Person

FACILITY_SCHEME: Final = "1.2.250.1.71.4.2.4"
PRACTICE_SCHEME: Final = "1.2.250.1.213.1.1.4.9"
SNOMED_CT: Final = "2.16.840.1.113883.6.96"


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
            publish_on=settings.publish_on,
            defaults=_defaults(settings),
        ),
        submission=RevisionBuilder(centre_of(settings), uid_root=settings.uid_root),
        submission_id=lambda: uuid4().hex,
        clock=parts.clock,
        draw=random,
        on_enqueued=on_enqueued,
    )


def _defaults(settings: Settings) -> CentreDefaults:
    family, _, given = settings.author_name.partition("^")
    region = Code(code=settings.region_code, scheme=SNOMED_CT)
    return CentreDefaults(
        author=Person(number=settings.author_id, family=family, given=given),
        organisation=Organisation(number=settings.organisation_id, name=settings.organisation_name),
        facility=Code(code=settings.facility_code, scheme=FACILITY_SCHEME),
        practice_setting=Code(code=settings.practice_setting_code, scheme=PRACTICE_SCHEME),
        regions=(region,) if settings.region_code else (),
    )
