-- [sqlite]
-- A submission set has one document or more, and a document may belong to others than it replaces.

CREATE TABLE submission_set (
    patient_key TEXT NOT NULL,
    set_id TEXT NOT NULL,           -- UUID that the index allotted; names the List
    unique_id TEXT NOT NULL,
    submitted_at_ms INTEGER NOT NULL,
    resource TEXT NOT NULL,         -- List as JSON
    PRIMARY KEY (patient_key, set_id)
);

CREATE UNIQUE INDEX submission_set_by_unique_id ON submission_set (unique_id);
CREATE UNIQUE INDEX submission_set_by_id ON submission_set (set_id);

-- What documents are to others. That a set brought a document is told by entry.set_id alone.
CREATE TABLE association (
    patient_key TEXT NOT NULL,
    association_id TEXT NOT NULL,
    relation TEXT NOT NULL,
    source_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    PRIMARY KEY (patient_key, association_id)
);

CREATE INDEX association_by_source ON association (patient_key, source_id);
CREATE INDEX association_by_target ON association (patient_key, target_id);

-- Until now a set had one document, and was named by its entry's id.
ALTER TABLE entry ADD COLUMN set_id TEXT NOT NULL DEFAULT '';
UPDATE entry SET set_id = lower(
    hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)
    || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)));
CREATE INDEX entry_by_set ON entry (patient_key, set_id);

-- A gateway gave each submission a unique id of its own; what somebody else repeated is told apart.
INSERT INTO submission_set (patient_key, set_id, unique_id, submitted_at_ms, resource)
SELECT patient_key, set_id,
       CASE row_number() OVER (PARTITION BY unique_id ORDER BY set_id)
       WHEN 1 THEN unique_id ELSE unique_id || '.' || set_id END,
       submitted_at_ms,
       json_set(resource, '$.id', set_id, '$.identifier[1].value', 'urn:uuid:' || set_id)
FROM (
    SELECT patient_key, set_id, submission_set AS resource,
           replace(json_extract(submission_set, '$.identifier[0].value'), 'urn:oid:', '')
           AS unique_id,
           strftime('%s', json_extract(submission_set, '$.date')) * 1000 AS submitted_at_ms
    FROM entry
);

INSERT INTO association (patient_key, association_id, relation, source_id, target_id)
SELECT entry.patient_key,
       lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
             || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
             || hex(randomblob(6))),
       json_extract(relation.value, '$.code'), entry.entry_id,
       replace(json_extract(relation.value, '$.target.reference'), 'DocumentReference/', '')
FROM entry, json_each(entry.resource, '$.relatesTo') AS relation;

ALTER TABLE entry DROP COLUMN submission_set;
-- [postgresql]
CREATE TABLE submission_set (
    patient_key TEXT NOT NULL,
    set_id TEXT NOT NULL,           -- UUID that the index allotted; names the List
    unique_id TEXT NOT NULL,
    submitted_at_ms BIGINT NOT NULL,
    resource TEXT NOT NULL,         -- List as JSON
    PRIMARY KEY (patient_key, set_id)
) PARTITION BY HASH (patient_key);
SELECT make_parts('submission_set');

-- What documents are to others. That a set brought a document is told by entry.set_id alone.
CREATE TABLE association (
    patient_key TEXT NOT NULL,
    association_id TEXT NOT NULL,
    relation TEXT NOT NULL,
    source_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    PRIMARY KEY (patient_key, association_id)
) PARTITION BY HASH (patient_key);
CREATE INDEX association_by_source ON association (patient_key, source_id);
CREATE INDEX association_by_target ON association (patient_key, target_id);
SELECT make_parts('association');
