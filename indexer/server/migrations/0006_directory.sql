-- Whose an object is, by its id alone: clients' ids name no patient. All other tables are keyed by
-- patient first; no two ids of a kind are the same, whoever their patients are.

CREATE TABLE directory (
    id TEXT NOT NULL,               -- UUID that the index allotted, or a unique id
    kind TEXT NOT NULL,             -- entry, set, unique
    patient_key TEXT NOT NULL,
    object_id TEXT NOT NULL,        -- entry_id or set_id
    PRIMARY KEY (id, kind)
)
-- [sqlite]
WITHOUT ROWID
-- [postgresql]
PARTITION BY HASH (id)
-- [shared]
;

-- [postgresql]
SELECT make_parts('directory');

-- [sqlite]
INSERT INTO directory SELECT entry_id, 'entry', patient_key, entry_id FROM entry;
INSERT INTO directory SELECT unique_id, 'unique', patient_key, entry_id FROM entry;
INSERT INTO directory SELECT set_id, 'set', patient_key, set_id FROM submission_set;
-- A set and a document may have shared one, of which the document's is asked for.
INSERT INTO directory SELECT unique_id, 'unique', patient_key, set_id FROM submission_set WHERE true
ON CONFLICT (id, kind) DO NOTHING;

DROP INDEX entry_by_unique_id;
DROP INDEX entry_by_id;
DROP INDEX submission_set_by_unique_id;
DROP INDEX submission_set_by_id;
