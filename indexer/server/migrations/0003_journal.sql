-- Who did what on a record. Each line's hash covers the line and the hash before it.

CREATE TABLE journal (
    patient_key TEXT NOT NULL,
    position BIGINT NOT NULL,       -- from 1 in each record
    at_ms BIGINT NOT NULL,
    event BLOB NOT NULL,            -- what was done, as JSON; it is hashed as it lies
    hash BLOB NOT NULL,             -- SHA-256
    PRIMARY KEY (patient_key, position)
)
-- [postgresql]
PARTITION BY HASH (patient_key)
-- [shared]
;

-- [sqlite]
CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal
BEGIN
    SELECT RAISE(ABORT, 'the journal is never changed');
END;

CREATE TRIGGER journal_is_not_shortened BEFORE DELETE ON journal
BEGIN
    SELECT RAISE(ABORT, 'the journal is never shortened');
END;
-- [postgresql]
SELECT make_parts('journal');

CREATE FUNCTION keep_the_journal() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN
    RAISE EXCEPTION ''the journal is never changed, nor shortened'';
END';
-- "OR REPLACE" for whoever splits statements, to whom a trigger ends as one of SQLite does.
CREATE OR REPLACE TRIGGER journal_is_kept BEFORE UPDATE OR DELETE ON journal
FOR EACH ROW EXECUTE FUNCTION keep_the_journal();
CREATE OR REPLACE TRIGGER journal_is_not_emptied BEFORE TRUNCATE ON journal
FOR EACH STATEMENT EXECUTE FUNCTION keep_the_journal();
