"""What a set-aside study needs, in the words of a radiology secretary, in French and English."""

from dataclasses import dataclass
from typing import Final

from gateway.model.act import ActKind
from gateway.model.agreement import DisagreementCode
from gateway.model.decision import NoRecordCode, SetAsideCode, WaitFor, WithheldCode
from gateway.model.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text in both languages."""

    fr: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a study waits for a person, and what they can do."""

    why: Text
    what_to_do: Text
    actions: tuple[ActKind, ...]


_RETRY, _DROP = ActKind.RETRY, ActKind.DROP
_ALWAYS: Final = (_RETRY, _DROP)
_MATCHING: Final = (ActKind.MATCH, *_ALWAYS)


def _explain(
    why_fr: str, why_en: str, do_fr: str, do_en: str, actions: tuple[ActKind, ...] = _ALWAYS
) -> Explanation:
    return Explanation(
        why=Text(fr=why_fr, en=why_en), what_to_do=Text(fr=do_fr, en=do_en), actions=actions
    )


EXPLANATIONS: Final[dict[str, Explanation]] = {
    SetAsideCode.IDENTITY_NOT_VALIDATED: _explain(
        "L'identité du patient n'est pas validée.",
        "The patient's identity is not validated.",
        "Validez l'identité (pièce d'identité, INSi) dans le RIS, puis renvoyez le compte rendu.",
        "Validate the identity in the RIS (identity document, INSi), then send the report again.",
    ),
    SetAsideCode.INS_MISSING: _explain(
        "Le compte rendu ne porte pas d'INS bien formée.",
        "The report names no well-formed INS.",
        "Qualifiez l'INS du patient dans le RIS, puis renvoyez le compte rendu.",
        "Qualify the patient's INS in the RIS, then send the report again.",
    ),
    SetAsideCode.INS_NOT_ACCEPTED: _explain(
        "L'INS vient d'une autorité que ce centre n'accepte pas (INS de test ?).",
        "The INS is of an authority that this centre does not take (an INS for tests?).",
        "Vérifiez l'INS dans le RIS ; sinon demandez à l'administrateur (GATEWAY_INS_OIDS).",
        "Check the INS in the RIS; else ask the administrator (GATEWAY_INS_OIDS).",
    ),
    SetAsideCode.FLAG_UNKNOWN: _explain(
        "Le compte rendu demande un masquage que cette passerelle ne connaît pas.",
        "The report asks to be hidden in a way that this gateway does not know.",
        "Corrigez le masquage dans le RIS et renvoyez le compte rendu.",
        "Correct the visibility in the RIS and send the report again.",
    ),
    SetAsideCode.REPORTS_DIFFER: _explain(
        "Deux comptes rendus de cet examen désignent des patients différents.",
        "Two reports on this exam name different patients.",
        "Annulez ou remplacez dans le RIS le compte rendu qui est faux.",
        "Withdraw or replace the wrong report in the RIS.",
    ),
    SetAsideCode.REPORTS_CIRCULAR: _explain(
        "Les comptes rendus de cet examen se remplacent l'un l'autre.",
        "The reports on this exam replace each other.",
        "Renvoyez depuis le RIS le compte rendu qui fait foi.",
        "Send the report that holds from the RIS again.",
    ),
    SetAsideCode.WITHDRAWAL_UNCLEAR: _explain(
        "Un compte rendu inconnu a été annulé, on ne sait pas lequel.",
        "A report was withdrawn that is not known here.",
        "Annulez-le sous son propre identifiant, ou renvoyez celui qui fait foi.",
        "Withdraw it under its own identifier, or send the one that holds.",
    ),
    SetAsideCode.IMAGES_MISSING: _explain(
        "Aucune image n'a été trouvée pour ce compte rendu.",
        "No image was found for this report.",
        "Vérifiez que le PACS a l'examen ; si le compte rendu désigne un autre examen, "
        "rattachez-le au bon.",
        "Check that the PACS holds the exam; if the report names another one, match it to the "
        "right one.",
        _MATCHING,
    ),
    SetAsideCode.PATIENT_CHANGED: _explain(
        "Une image est revenue sous un autre patient après le compte rendu.",
        "An image came again under another patient after the report.",
        "Vérifiez l'examen dans le PACS, puis relancez ou renvoyez le compte rendu.",
        "Check the exam in the PACS, then retry, or send the report again.",
    ),
    SetAsideCode.PACS_ANSWER_UNREADABLE: _explain(
        "Le PACS a répondu de façon incompréhensible.",
        "The PACS answered what cannot be understood.",
        "Prévenez l'administrateur du PACS, puis relancez.",
        "Tell the administrator of the PACS, then retry.",
    ),
    SetAsideCode.CANNOT_BE_DESCRIBED: _explain(
        "La passerelle n'a pas su décrire cet examen.",
        "The gateway could not describe this exam.",
        "Prévenez le support de la passerelle ; son journal dit où elle a échoué.",
        "Tell the gateway's support; its log says where it failed.",
    ),
    SetAsideCode.SUBMISSION_REJECTED: _explain(
        "Le DMP a refusé le pointeur.",
        "The national record refused the pointer.",
        "Corrigez la cause indiquée, puis relancez.",
        "Mend the cause that is told, then retry.",
    ),
    SetAsideCode.WITHDRAWAL_REJECTED: _explain(
        "Le DMP a refusé de retirer le pointeur : il y est encore.",
        "The national record refused to take the pointer back: it is still there.",
        "Faites-le retirer par le support du DMP, puis relancez.",
        "Have it taken out by the record's support, then retry.",
    ),
    DisagreementCode.REPORT_INCONSISTENT: _explain(
        "Le message et le compte rendu qu'il porte désignent des patients différents.",
        "The message and the report in it name different patients.",
        "Corrigez l'identité dans le RIS et renvoyez le compte rendu.",
        "Correct the identity in the RIS and send the report again.",
    ),
    DisagreementCode.PATIENT_DIFFERS: _explain(
        "Les images et le compte rendu désignent des patients différents.",
        "The images and the report name different patients.",
        "Comparez les deux identités. Corrigez celle qui est fausse ; si c'est bien la même "
        "personne, confirmez-le.",
        "Compare both identities. Correct the wrong one; if it is the same person, confirm it.",
        (ActKind.CONFIRM_PATIENT, *_MATCHING),
    ),
    DisagreementCode.ACCESSION_DIFFERS: _explain(
        "Le numéro d'examen (accession) des images n'est pas celui du compte rendu.",
        "The accession number of the images is not one that the report lists.",
        "Corrigez-le dans le PACS ou le RIS ; si le compte rendu désigne un autre examen, "
        "rattachez-le au bon.",
        "Correct it in the PACS or the RIS; if the report names another exam, match it to the "
        "right one.",
        _MATCHING,
    ),
}
"""By code; every code that sets a study aside has one."""

REASONS: Final[dict[str, Text]] = {
    WaitFor.REPORT: Text(
        fr="Aucun compte rendu n'est encore arrivé.", en="No report has come yet."
    ),
    WaitFor.IDENTITY: Text(
        fr="Aucune demande ni aucun message d'identité n'a encore dit qui est le patient.",
        en="No order and no word about identities has told yet who the patient is.",
    ),
    WaitFor.VALIDATION: Text(
        fr="Le compte rendu n'est pas encore validé.", en="The report is not validated yet."
    ),
    WaitFor.SETTLING: Text(
        fr="Des images sont encore en train d'arriver.", en="Images are still coming."
    ),
    WaitFor.IMAGES: Text(
        fr="Le compte rendu est là, ses images pas encore.",
        en="The report is there, its images are not yet.",
    ),
    WaitFor.IMAGES_NOT_FOUND: Text(
        fr="Aucun PACS n'a ses images, et personne ne les a envoyées à la passerelle.",
        en="No PACS holds its images, and nobody sent them to the gateway.",
    ),
    WaitFor.PACS: Text(
        fr="Le PACS ne répond pas ; il sera de nouveau interrogé.",
        en="The PACS does not answer; it will be asked again.",
    ),
    WithheldCode.NOT_FOR_DMP: Text(
        fr="L'expéditeur d'un compte rendu a demandé que rien n'aille au DMP.",
        en="The sender of a report asked that nothing goes to the national record.",
    ),
    WithheldCode.NOTHING_ADMISSIBLE: Text(
        fr="L'examen n'a aucune image qu'un pointeur puisse lister.",
        en="The exam has no image that a pointer may list.",
    ),
    WithheldCode.REPORT_WITHDRAWN: Text(
        fr="Son compte rendu a été annulé, et aucun autre ne parle de lui.",
        en="Its report was withdrawn, and no other speaks of it.",
    ),
    WithheldCode.REPORT_GONE: Text(
        fr="Son compte rendu a été remplacé par un autre qui ne le nomme plus.",
        en="Its report was replaced by one that no longer names it.",
    ),
    WithheldCode.ORDER_CANCELLED: Text(
        fr="La demande d'examen a été annulée.", en="The exam's order was cancelled."
    ),
    WithheldCode.IMAGES_GONE: Text(
        fr="Le PACS n'a plus aucune image de l'examen.",
        en="The PACS no longer holds any image of the exam.",
    ),
    WithheldCode.EXAM_DELETED: Text(
        fr="Le RIS a dit que l'examen a été supprimé.", en="The RIS told that the exam was deleted."
    ),
    WithheldCode.IMAGES_REJECTED: Text(
        fr="Toutes ses images ont été rejetées.", en="All its images were rejected."
    ),
    WithheldCode.DROPPED: Text(
        fr="Une personne l'a laissé non publié.", en="A person left it unpublished."
    ),
    WithheldCode.MATCHED: Text(
        fr="Une personne a rattaché ses comptes rendus à un autre examen.",
        en="A person matched its reports to another exam.",
    ),
    WithheldCode.WITHDRAWN_BY_PERSON: Text(
        fr="Une personne l'a retiré.", en="A person took it back."
    ),
    NoRecordCode.ABSENT: Text(
        fr="Le patient n'a pas de DMP.", en="The patient has no national record."
    ),
    NoRecordCode.CLOSED: Text(
        fr="Le patient a fermé son DMP.", en="The patient had the national record closed."
    ),
    NoRecordCode.REFUSED: Text(
        fr="Le titulaire du DMP s'y oppose.", en="The holder of the national record refuses."
    ),
} | {code: explanation.why for code, explanation in EXPLANATIONS.items()}
"""Why a study stands where it does, by its code."""

EVENTS: Final[dict[Event, Text]] = {
    Event.ANNOUNCED: Text(
        fr="Le contenu de l'examen dans le PACS a été annoncé.",
        en="What the PACS holds of the exam was announced.",
    ),
    Event.IMAGES_RECEIVED: Text(
        fr="Des images ont été envoyées à la passerelle.", en="Images were sent to the gateway."
    ),
    Event.REPORT_RECEIVED: Text(fr="Un compte rendu est arrivé.", en="A report came."),
    Event.REPORT_REPEATED: Text(
        fr="Le même compte rendu est arrivé de nouveau.", en="The same report came again."
    ),
    Event.REPORT_REPLACED: Text(
        fr="Un compte rendu qui en corrige un autre est arrivé.",
        en="A report came that corrects another.",
    ),
    Event.REPORT_WITHDRAWN: Text(fr="Un compte rendu a été annulé.", en="A report was withdrawn."),
    Event.ORDER_RECEIVED: Text(
        fr="La demande d'examen est arrivée ou a changé.", en="The exam's order came or changed."
    ),
    Event.EXAM_CHANGED: Text(
        fr="Le RIS a dit que le contenu de l'examen a changé.",
        en="The RIS told that the content of the exam changed.",
    ),
    Event.PATIENT_TOLD: Text(
        fr="L'identité du patient est arrivée, a été corrigée ou fusionnée.",
        en="The patient's identity came, was corrected or merged.",
    ),
    Event.INSTANCES_REJECTED: Text(fr="Des images ont été rejetées.", en="Images were rejected."),
    Event.IMAGES_DISAGREED: Text(
        fr="Les images reçues du PACS ne concordent pas avec le compte rendu.",
        en="Images that came from the PACS do not fit the report.",
    ),
    Event.TAKEN_OVER: Text(
        fr="Le pointeur publié par une autre passerelle a été repris.",
        en="The pointer that another gateway published was taken over.",
    ),
    Event.WAITING: Text(fr="L'examen attend.", en="The exam waits."),
    Event.QUEUED: Text(
        fr="Un pointeur est prêt à être envoyé au DMP.",
        en="A pointer is ready to be sent to the national record.",
    ),
    Event.PUBLISHED: Text(
        fr="Le pointeur est dans le DMP.", en="The pointer is in the national record."
    ),
    Event.NO_RECORD: Text(
        fr="Le pointeur n'a pas de DMP où aller.",
        en="The pointer has no national record to go to.",
    ),
    Event.WITHDRAWN: Text(
        fr="Le pointeur a été retiré du DMP.",
        en="The pointer was taken out of the national record.",
    ),
    Event.WITHHELD: Text(
        fr="Rien n'est publié de l'examen.", en="Nothing of the exam is published."
    ),
    Event.SET_ASIDE: Text(fr="L'examen attend une personne.", en="The exam waits for a person."),
    Event.RETRY: Text(fr="Une personne a relancé l'examen.", en="A person tried again."),
    Event.DROP: Text(
        fr="Une personne a laissé l'examen non publié.", en="A person left the exam unpublished."
    ),
    Event.MATCH: Text(
        fr="Une personne a rattaché les comptes rendus d'un autre examen à celui-ci.",
        en="A person matched the reports on another exam to this one.",
    ),
    Event.MATCHED: Text(
        fr="Une personne a rattaché les comptes rendus de cet examen à un autre.",
        en="A person matched the reports on this exam to another.",
    ),
    Event.CONFIRM_PATIENT: Text(
        fr="Une personne a confirmé le patient des images.",
        en="A person confirmed the patient of the images.",
    ),
    Event.WITHDRAW: Text(fr="Une personne a retiré l'examen.", en="A person took the exam back."),
    Event.LIFT: Text(fr="Une personne a levé le retrait.", en="A person ended the withdrawal."),
}
"""What each event of a study's history says."""


_DECIDED: Final = frozenset(
    {Event.WAITING, Event.PUBLISHED, Event.NO_RECORD, Event.WITHHELD, Event.SET_ASIDE}
)


def told_of(event: Event, code: str) -> Text:
    """What an event of a study's history says, with the reason where it is a decision."""
    text, why = EVENTS[event], REASONS.get(code)
    if event not in _DECIDED or why is None:
        return text
    return Text(fr=f"{text.fr} {why.fr}", en=f"{text.en} {why.en}")
