-- What else a centre tells of a study, what people decide about it, and how its pointer ends.

ALTER TABLE studies ADD COLUMN spoken_by INTEGER NOT NULL DEFAULT 0;  -- news of the last message
ALTER TABLE studies ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;    -- 1: taken back by a person

-- When what a PACS holds of the study was last compared with what was published of it, whether
-- there was news or not; 0: never.
ALTER TABLE studies ADD COLUMN checked_at_ms BIGINT NOT NULL DEFAULT 0;

CREATE INDEX studies_blocked ON studies (study_uid) WHERE blocked = 1;
-- Of studies whose pointer follows what the PACS hold: it is out, or would be if they had images.
CREATE INDEX studies_by_check ON studies (checked_at_ms, study_uid)
WHERE state = 'published' OR code = 'images_gone';

-- What is set aside is looked at once more: a pointer of it may be out that must be taken back.
UPDATE studies SET due_at_ms = 0 WHERE state = 'set_aside';

-- publish: the document; withdraw: the entry that is out is to be taken back.
ALTER TABLE submissions ADD COLUMN kind TEXT NOT NULL DEFAULT 'publish';

-- When the report was last said (MSH-7).
ALTER TABLE report_studies ADD COLUMN said_at_ms BIGINT;

-- Whom reports name, so that a word about a patient reaches a study of which no image is known yet.
CREATE TABLE report_patients (
    local_id        TEXT NOT NULL,
    content_digest  TEXT NOT NULL REFERENCES reports (content_digest),
    PRIMARY KEY (local_id, content_digest)
) WITHOUT ROWID;

INSERT INTO report_patients (local_id, content_digest)
SELECT DISTINCT json_extract(named.value, '$.value'), content_digest
FROM reports, json_each(CAST(content AS TEXT), '$.patient.local_ids') AS named;

-- Code of the rejection note that names the instance; empty where none does.
ALTER TABLE instances ADD COLUMN rejected TEXT NOT NULL DEFAULT '';
-- 1: the manifest of a pointer that was taken over lists it, and nobody else told of it yet. It is
-- `gone` once it was looked for in vain, which does not mean that it was deleted.
ALTER TABLE instances ADD COLUMN assumed INTEGER NOT NULL DEFAULT 0;

-- What rejection notes name. They outlive their instances, and may come before them.
CREATE TABLE rejections (
    study_uid     TEXT NOT NULL,
    instance_uid  TEXT NOT NULL,
    note_uid      TEXT NOT NULL,
    code          TEXT NOT NULL,
    PRIMARY KEY (study_uid, instance_uid, note_uid)
) WITHOUT ROWID;

-- What may be shown to anybody: held, not rejected, and not taken back.
CREATE VIEW shown_instances AS
SELECT * FROM instances
WHERE gone = 0 AND rejected = ''
  AND study_uid NOT IN (SELECT study_uid FROM studies WHERE blocked = 1);

-- The last word of each order.
CREATE TABLE orders (
    order_key  TEXT NOT NULL PRIMARY KEY,
    content    BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE order_studies (
    study_uid  TEXT NOT NULL,
    order_key  TEXT NOT NULL REFERENCES orders (order_key),
    PRIMARY KEY (study_uid, order_key)
) WITHOUT ROWID;

CREATE TABLE order_accessions (
    accession  TEXT NOT NULL,
    order_key  TEXT NOT NULL REFERENCES orders (order_key),
    PRIMARY KEY (accession, order_key)
) WITHOUT ROWID;

-- Messages about orders and patients that came: the same bytes again are no other word.
CREATE TABLE heard_messages (
    message_digest  TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- What the master patient index said, in the order of hearing.
CREATE TABLE patient_words (
    number       INTEGER PRIMARY KEY,
    heard_at_ms  BIGINT NOT NULL,
    content      BLOB   NOT NULL
);

CREATE TABLE patient_word_ids (
    local_id  TEXT    NOT NULL,
    number    INTEGER NOT NULL REFERENCES patient_words (number),
    PRIMARY KEY (local_id, number)
) WITHOUT ROWID;

CREATE INDEX patient_word_ids_by_word ON patient_word_ids (number);

-- What people decided about studies.
CREATE TABLE acts (
    study_uid  TEXT    NOT NULL,
    news       INTEGER NOT NULL,
    content    BLOB    NOT NULL,
    PRIMARY KEY (study_uid, news)
) WITHOUT ROWID;

-- The reports on `reported_as` are about `study_uid`, a person said.
CREATE TABLE matches (
    study_uid    TEXT    NOT NULL,
    reported_as  TEXT    NOT NULL,
    -- Number of the news of `study_uid` by which one of them last came; 0: none has since.
    reported_by  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (study_uid, reported_as)
) WITHOUT ROWID;

CREATE INDEX matches_by_reported ON matches (reported_as);

-- What happened to each study, for people to read.
CREATE TABLE history (
    study_uid  TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    at_ms      BIGINT  NOT NULL,
    event      TEXT    NOT NULL,
    code       TEXT    NOT NULL DEFAULT '',
    detail     TEXT    NOT NULL DEFAULT '{}',          -- a JSON object
    PRIMARY KEY (study_uid, number)
) WITHOUT ROWID;
