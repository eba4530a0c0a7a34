-- What a modality says of the step that it performs (MPPS), and storage commitments still to be
-- told. Times are milliseconds since 1970 in UTC.

CREATE TABLE procedure_steps (
    step_uid       TEXT    NOT NULL PRIMARY KEY,
    status         TEXT    NOT NULL,                   -- IN PROGRESS, COMPLETED or DISCONTINUED
    studies        TEXT    NOT NULL,                   -- a JSON list
    told           TEXT    NOT NULL,                   -- JSON list: of what a final one must tell
    changed_at_ms  BIGINT  NOT NULL
) WITHOUT ROWID;

CREATE INDEX procedure_steps_by_change ON procedure_steps (changed_at_ms);

CREATE TABLE commitments (
    commitment_id    TEXT    NOT NULL PRIMARY KEY,     -- opaque: it may be logged
    ae_title         TEXT    NOT NULL,                 -- of who asked, and is to be told
    transaction_uid  TEXT    NOT NULL,
    content          BLOB    NOT NULL,                 -- the instances asked for
    instances        INTEGER NOT NULL,
    attempts         INTEGER NOT NULL DEFAULT 0,
    due_at_ms        BIGINT  NOT NULL,                 -- also the end of the lease of who tells it
    asked_at_ms      BIGINT  NOT NULL,
    UNIQUE (ae_title, transaction_uid)
) WITHOUT ROWID;

CREATE INDEX commitments_due ON commitments (due_at_ms);
