"""Tells the gateway of each study that has become available (IAN, PS3.4 annex R).

A study is told when no association that stored to it is open any more and a quiet time has passed.
One thread sends; a notification that fails is tried again a few times.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom.presentation import build_context

from simulators.imaging_centre.archive import StoredInstance
from simulators.imaging_centre.dimse import (
    INSTANCE_AVAILABILITY,
    SUCCESS,
    DicomAddress,
    Unanswered,
    associate,
)

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 6
_FIRST_RETRY_S = 0.5  # doubles with each attempt


def build_notification(
    study_uid: str,
    instances: Sequence[StoredInstance],
    ae_title: str,
    *,
    gone: Sequence[StoredInstance] = (),
) -> Dataset:
    """An Instance Availability Notification of all of a study's instances (PS3.3 §C.4.23).

    Args:
        gone: those that can not be had any more.
    """
    notification = Dataset()
    notification.ReferencedPerformedProcedureStepSequence = []
    notification.StudyInstanceUID = study_uid
    by_series: dict[str, list[Dataset]] = {}
    availability = [(one, "ONLINE") for one in instances] + [(one, "UNAVAILABLE") for one in gone]
    for instance, told in availability:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.header.SOPClassUID
        item.ReferencedSOPInstanceUID = instance.header.SOPInstanceUID
        item.InstanceAvailability = told
        item.RetrieveAETitle = ae_title
        by_series.setdefault(str(instance.header.SeriesInstanceUID), []).append(item)
    notification.ReferencedSeriesSequence = [
        _series_item(series_uid, items) for series_uid, items in by_series.items()
    ]
    return notification


def _series_item(series_uid: str, instances: list[Dataset]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = series_uid
    item.ReferencedSOPSequence = instances
    return item


@dataclass(slots=True)
class _Pending:
    due_at: float
    attempts: int = 0
    open_associations: set[int] = field(default_factory=set)
    gone: list[StoredInstance] = field(default_factory=list)


class Notifier:
    """Waits for studies to be quiet and sends their notifications, one at a time.

    Args:
        instances_of: the study's instances at the moment of telling.
        told: called with the study's UID and the epoch milliseconds of the acknowledgement.
    """

    def __init__(
        self,
        ae_title: str,
        gateway: DicomAddress,
        *,
        instances_of: Callable[[str], list[StoredInstance]],
        told: Callable[[str, int], object],
        quiet_s: float,
    ) -> None:
        self._ae_title, self._gateway, self._quiet_s = ae_title, gateway, quiet_s
        self._instances_of, self._told = instances_of, told
        self._pending: dict[str, _Pending] = {}
        self._news = Condition()
        self._closing = False
        self._thread = Thread(target=self._run, name="notifier")

    def start(self) -> None:
        """Begin to watch and to send."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what was not told is not told."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()

    def stored(self, study_uid: str, association: int) -> None:
        """An instance of the study came by an association, named by any number of its own."""
        with self._news:
            study = self._pending.setdefault(study_uid, _Pending(0))
            study.due_at, study.attempts = time.monotonic() + self._quiet_s, 0
            study.open_associations.add(association)

    def ended(self, association: int) -> None:
        """The association is over; the quiet time of the studies it stored to begins."""
        with self._news:
            for study in self._pending.values():
                if association in study.open_associations:
                    study.open_associations.discard(association)
                    study.due_at = time.monotonic() + self._quiet_s
            self._news.notify()

    def changed(self, study_uid: str, gone: Sequence[StoredInstance] = ()) -> None:
        """Something about the study is no longer what was told; `gone` cannot be had any more."""
        with self._news:
            study = self._pending.setdefault(study_uid, _Pending(0))
            study.due_at, study.attempts = time.monotonic() + self._quiet_s, 0
            study.gone.extend(gone)
            self._news.notify()

    def _run(self) -> None:
        while (claimed := self._claim_quiet_study()) is not None:
            study_uid, study = claimed
            try:
                self._send(study_uid, study.gone)
            except Unanswered:
                self._put_off(study_uid, study)
            else:
                self._told(study_uid, time.time_ns() // 1_000_000)

    def _claim_quiet_study(self) -> tuple[str, _Pending] | None:
        with self._news:
            while not self._closing:
                quiet = [uid for uid, study in self._pending.items() if not study.open_associations]
                first = min(quiet, key=lambda uid: self._pending[uid].due_at, default=None)
                if first is None:
                    self._news.wait()
                elif (wait_s := self._pending[first].due_at - time.monotonic()) > 0:
                    self._news.wait(wait_s)
                else:
                    return first, self._pending.pop(first)
            return None

    def _send(self, study_uid: str, gone: Sequence[StoredInstance]) -> None:
        instances = self._instances_of(study_uid)
        back = {one.header.SOPInstanceUID for one in instances}
        notification = build_notification(
            study_uid,
            instances,
            self._ae_title,
            gone=[one for one in gone if one.header.SOPInstanceUID not in back],
        )
        association = associate(
            self._ae_title, self._gateway, [build_context(INSTANCE_AVAILABILITY)]
        )
        try:
            answer, _ = association.send_n_create(
                notification, INSTANCE_AVAILABILITY, generate_uid(prefix=None)
            )
        except (RuntimeError, ValueError) as error:
            raise Unanswered("the notification could not be sent") from error
        finally:
            association.release()
        if answer.get("Status") != SUCCESS:
            raise Unanswered("the notification was not taken")

    def _put_off(self, study_uid: str, told: _Pending) -> None:
        attempts = told.attempts + 1
        if attempts >= ATTEMPTS_MAX:
            log.error("notification_given_up", extra={"attempts": attempts})
            return
        due_at = time.monotonic() + _FIRST_RETRY_S * 2 ** (attempts - 1)
        with self._news:  # instances that came meanwhile make a notification of their own
            study = self._pending.setdefault(study_uid, _Pending(due_at, attempts))
            study.gone.extend(told.gone)
