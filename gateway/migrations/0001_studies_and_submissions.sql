-- What the gateway was told of studies, and what it has to tell the index.

CREATE TABLE studies (
    study_uid           TEXT    NOT NULL PRIMARY KEY,
    news                INTEGER NOT NULL,              -- number of the last news
    due_at_ms           INTEGER,                       -- when to look at it; NULL: only news helps
    looks               INTEGER NOT NULL DEFAULT 0,    -- looks since the last news, for back-off
    -- waiting, queued, published, set_aside or withheld
    state               TEXT    NOT NULL,
    code                TEXT    NOT NULL DEFAULT '',
    reason              TEXT    NOT NULL DEFAULT '',
    since_ms            INTEGER NOT NULL,              -- when state and code became what they are
    revision            INTEGER NOT NULL DEFAULT 0,
    fingerprint         TEXT    NOT NULL DEFAULT '',   -- of the latest revision
    left_out            INTEGER NOT NULL DEFAULT 0,    -- instances that a manifest must not list
    last_pushed_at_ms   INTEGER,
    waiting_since_ms    INTEGER,
    ask_pacs_after      INTEGER NOT NULL DEFAULT 0,
    pacs_asked_after    INTEGER NOT NULL DEFAULT -1,
    patient_changed_by  INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE INDEX studies_due ON studies (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX studies_by_state ON studies (state, since_ms);

CREATE TABLE instances (
    study_uid        TEXT    NOT NULL,
    series_uid       TEXT    NOT NULL,
    instance_uid     TEXT    NOT NULL,
    patient_id       TEXT    NOT NULL,
    accession        TEXT    NOT NULL,
    -- What its own header tells; NULL where its bytes are not held here.
    header           BLOB,
    object_key       TEXT,
    transfer_syntax  TEXT,
    size_bytes       INTEGER,
    sha256           TEXT,
    -- What the PACS tells; NULL where its last answer does not name it.
    answer           BLOB,
    pacs             TEXT    NOT NULL DEFAULT '',      -- AE title of the PACS that told it
    PRIMARY KEY (study_uid, instance_uid)
) WITHOUT ROWID;

CREATE INDEX instances_by_series ON instances (study_uid, series_uid);
CREATE INDEX instances_by_patient ON instances (patient_id, study_uid);
CREATE INDEX instances_by_accession ON instances (accession, study_uid) WHERE accession <> '';
CREATE INDEX instances_by_object ON instances (object_key) WHERE object_key IS NOT NULL;

-- Objects that no instance refers to any more; kept a while for readers who opened them before.
CREATE TABLE discarded_objects (
    object_key       TEXT    NOT NULL PRIMARY KEY,
    discarded_at_ms  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE reports (
    message_digest  TEXT NOT NULL PRIMARY KEY,
    content         BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE report_studies (
    study_uid       TEXT    NOT NULL,
    message_digest  TEXT    NOT NULL REFERENCES reports (message_digest),
    news            INTEGER NOT NULL,                  -- number of the news that first brought it
    PRIMARY KEY (study_uid, message_digest)
) WITHOUT ROWID;

CREATE TABLE submissions (
    submission_id    TEXT    NOT NULL PRIMARY KEY,     -- opaque: it may be logged
    study_uid        TEXT    NOT NULL,
    revision         INTEGER NOT NULL,
    state            TEXT    NOT NULL,                 -- waiting sent set_aside dropped
    attempts         INTEGER NOT NULL DEFAULT 0,
    due_at_ms        INTEGER NOT NULL,
    content          BLOB    NOT NULL,
    document         BLOB    NOT NULL,
    index_entry_id   TEXT    NOT NULL DEFAULT '',      -- what the index calls the entry, once sent
    code             TEXT    NOT NULL DEFAULT '',
    enqueued_at_ms   INTEGER NOT NULL,
    finished_at_ms   INTEGER,
    UNIQUE (study_uid, revision)
);

CREATE INDEX submissions_due ON submissions (due_at_ms) WHERE state = 'waiting';
