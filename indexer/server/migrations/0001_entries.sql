-- [sqlite]
-- The patient comes first in every key, so that an engine can partition by patient.

CREATE TABLE entry (
    patient_key TEXT NOT NULL,      -- OID and value of the national identity
    entry_id TEXT NOT NULL,         -- UUID that the index allotted; names List and Binary too
    unique_id TEXT NOT NULL,
    status TEXT NOT NULL,           -- current, superseded
    type_scheme TEXT NOT NULL,
    type_code TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL, -- creationTime, UTC
    reference_ids TEXT NOT NULL,    -- JSON: list of {kind, value}
    resource TEXT NOT NULL,         -- DocumentReference as JSON; status and url are set on reading
    submission_set TEXT NOT NULL,   -- List as JSON
    PRIMARY KEY (patient_key, entry_id)
);

-- No two documents share a unique id, whoever their patients are (ITI TF-3 §4.2.3.2.26).
CREATE UNIQUE INDEX entry_by_unique_id ON entry (unique_id);
CREATE UNIQUE INDEX entry_by_id ON entry (entry_id);
CREATE INDEX entry_by_patient ON entry (patient_key, created_at_ms, entry_id);

-- Apart from the entries, which searches read and replacements rewrite.
CREATE TABLE document (
    patient_key TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (patient_key, entry_id),
    FOREIGN KEY (patient_key, entry_id) REFERENCES entry (patient_key, entry_id)
);
-- [postgresql]
-- Each table of records is parted by patient: no statement of a hot path meets more than one part,
-- and what lies apart can be moved to servers of its own. How many parts a database has is settled
-- here; an operator may ask for another number before the first start.
CREATE FUNCTION make_parts(told text) RETURNS void LANGUAGE plpgsql AS
'DECLARE
    parts integer NOT NULL DEFAULT coalesce(current_setting(''drim.parts'', true), ''32'');
BEGIN
    FOR part IN 0 .. parts - 1 LOOP
        EXECUTE format(''CREATE TABLE %I PARTITION OF %I
                        FOR VALUES WITH (MODULUS %s, REMAINDER %s)'',
                       told || ''_'' || part, told, parts, part);
    END LOOP;
END';

CREATE TABLE entry (
    patient_key TEXT NOT NULL,      -- OID and value of the national identity
    entry_id TEXT NOT NULL,         -- UUID that the index allotted; names the Binary too
    unique_id TEXT NOT NULL,
    status TEXT NOT NULL,
    type_scheme TEXT NOT NULL,
    type_code TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,  -- creationTime, UTC
    reference_ids TEXT NOT NULL,    -- JSON: list of {kind, value}
    resource TEXT NOT NULL,         -- DocumentReference as JSON; status and url are set on reading
    set_id TEXT NOT NULL,           -- of the submission set that brought it
    PRIMARY KEY (patient_key, entry_id)
) PARTITION BY HASH (patient_key);
CREATE INDEX entry_by_patient ON entry (patient_key, created_at_ms, entry_id);
CREATE INDEX entry_by_set ON entry (patient_key, set_id);
SELECT make_parts('entry');

CREATE TABLE document (
    patient_key TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (patient_key, entry_id)
) PARTITION BY HASH (patient_key);
SELECT make_parts('document');
