-- Who did what on a record. Each line's hash covers the line and the hash before it.

CREATE TABLE journal (
    patient_key TEXT NOT NULL,
    position BIGINT NOT NULL,       -- from 1 in each record
    at_ms BIGINT NOT NULL,
    event BLOB NOT NULL,            -- what was done, as JSON; it is hashed as it lies
    hash BLOB NOT NULL,             -- SHA-256
    PRIMARY KEY (patient_key, position)
);

CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal
BEGIN
    SELECT RAISE(ABORT, 'the journal is never changed');
END;

CREATE TRIGGER journal_is_not_shortened BEFORE DELETE ON journal
BEGIN
    SELECT RAISE(ABORT, 'the journal is never shortened');
END;
