"""What can happen to a study, as its history names it."""

from enum import StrEnum


class Event(StrEnum):
    """One kind of thing that happens: news, a decision, what became of it, or a person's act."""

    ANNOUNCED = "announced"
    IMAGES_RECEIVED = "images_received"
    REPORT_RECEIVED = "report_received"
    REPORT_REPEATED = "report_repeated"
    REPORT_REPLACED = "report_replaced"
    REPORT_WITHDRAWN = "report_withdrawn"
    ORDER_RECEIVED = "order_received"
    EXAM_CHANGED = "exam_changed"
    PATIENT_TOLD = "patient_told"
    INSTANCES_REJECTED = "instances_rejected"
    IMAGES_DISAGREED = "images_disagreed"
    TAKEN_OVER = "taken_over"
    WAITING = "waiting"
    QUEUED = "queued"
    PUBLISHED = "published"
    NO_RECORD = "no_record"
    WITHDRAWN = "withdrawn"
    WITHHELD = "withheld"
    SET_ASIDE = "set_aside"
    RETRY = "retry"
    DROP = "drop"
    MATCH = "match"
    MATCHED = "matched"
    CONFIRM_PATIENT = "confirm_patient"
    WITHDRAW = "withdraw"
    LIFT = "lift"
