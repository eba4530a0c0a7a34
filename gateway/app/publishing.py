"""Puts together what publishes pointers."""

from collections.abc import Callable
from datetime import time
from random import random
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

from gateway.app.index import FACILITY_SCHEME
from gateway.app.parts import Parts, centre_of, milliseconds
from gateway.catalogue.checks import Checks
from gateway.model.decision import CentreDefaults, PublicationPolicy
from gateway.publication.night import Night
from gateway.publication.publisher import Publisher
from gateway.publication.revision import RevisionBuilder
from gateway.publication.sweep import Sweep
from gateway.settings import Settings
from indexer.contract.document import Code, Organisation, Person

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
        policy=publication_policy(parts),
        submission=RevisionBuilder(
            centre_of(settings),
            uid_root=settings.uid_root,
            form=settings.manifest,
            mado_codes=settings.mado_codes,
        ),
        submission_id=lambda: uuid4().hex,
        clock=parts.clock,
        draw=random,
        on_enqueued=on_enqueued,
    )


def publication_policy(parts: Parts) -> PublicationPolicy:
    settings = parts.settings
    return PublicationPolicy(
        ins_oids=settings.ins_oids | parts.policy.more_ins_oids,
        has_pacs=bool(settings.pacs),
        settle_ms=milliseconds(settings.study_settle_s),
        images_wait_ms=milliseconds(settings.images_wait_s),
        honour_destdmp=settings.honour_destdmp,
        publish_on=settings.publish_on,
        defaults=_defaults(settings),
    )


async def sweep_at_night(parts: Parts, *, on_news: Callable[[], None]) -> None:
    """Compare published studies with the PACS until cancelled, where there is one, and a night."""
    settings = parts.settings
    if not settings.pacs or not settings.sweep_from:
        return
    sweep = Sweep(
        parts.database,
        parts.studies,
        Checks(parts.database.dialect),
        pacs=parts.directory,
        night=Night(
            begins=time.fromisoformat(settings.sweep_from),
            ends=time.fromisoformat(settings.sweep_to),
            zone=ZoneInfo(settings.time_zone),
        ),
        studies_max=settings.sweep_studies_max,
        studies_per_s=settings.sweep_studies_per_s,
        clock=parts.clock,
        on_news=on_news,
    )
    await sweep.run()


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
