-- What the gateway was told of studies, and what it has to tell the index. Times are milliseconds
-- since 1970 in UTC; `news` numbers what was told of one study, from 1.

CREATE TABLE studies (
    study_uid           TEXT    NOT NULL PRIMARY KEY,
    news                INTEGER NOT NULL,              -- number of the last news
    due_at_ms           BIGINT,                        -- when to look at it; NULL: only news helps
    leased_until_ms     BIGINT,                        -- whoever looks at it has until then
    looks               INTEGER NOT NULL DEFAULT 0,    -- looks since the last news, for back-off
    -- waiting, queued, published, set_aside or withheld
    state               TEXT    NOT NULL,
    code                TEXT    NOT NULL DEFAULT '',
    reason              TEXT    NOT NULL DEFAULT '',
    since_ms            BIGINT  NOT NULL,              -- when state and code became what they are
    revision            INTEGER NOT NULL DEFAULT 0,
    fingerprint         TEXT    NOT NULL DEFAULT '',   -- of the latest revision
    left_out            INTEGER NOT NULL DEFAULT 0,    -- instances that a manifest must not list
    last_pushed_at_ms   BIGINT,
    waiting_since_ms    BIGINT,
    ask_pacs_after      INTEGER NOT NULL DEFAULT 0,
    pacs_asked_after    INTEGER NOT NULL DEFAULT -1,
    patient_changed_by  INTEGER NOT NULL DEFAULT 0,
    -- What did not fit the report when images were fetched, and the number of that news.
    disagreed_by        INTEGER NOT NULL DEFAULT 0,
    disagreed_code      TEXT    NOT NULL DEFAULT '',
    disagreed_reason    TEXT    NOT NULL DEFAULT ''
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
    size_bytes       BIGINT,
    sha256           TEXT,
    -- What the PACS tells; NULL where its last answer does not name it.
    answer           BLOB,
    pacs             TEXT    NOT NULL DEFAULT '',      -- AE title of the PACS that told it
    -- 1: an answer of the PACS named it once and the last does not, so it was deleted there.
    gone             INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (study_uid, instance_uid)
) WITHOUT ROWID;

CREATE INDEX instances_by_series ON instances (series_uid, study_uid);
CREATE INDEX instances_by_uid ON instances (instance_uid);
CREATE INDEX instances_by_patient ON instances (patient_id, study_uid);
CREATE INDEX instances_by_accession ON instances (accession, study_uid) WHERE accession <> '';
CREATE INDEX instances_by_object ON instances (object_key) WHERE object_key IS NOT NULL;

-- Objects that no instance refers to any more; kept a while for readers who opened them before.
CREATE TABLE discarded_objects (
    object_key       TEXT    NOT NULL PRIMARY KEY,
    discarded_at_ms  BIGINT  NOT NULL
) WITHOUT ROWID;

-- What reports said, each saying once however many messages repeat it.
CREATE TABLE reports (
    content_digest  TEXT NOT NULL PRIMARY KEY,
    document_id     TEXT NOT NULL,
    content         BLOB NOT NULL
) WITHOUT ROWID;

CREATE INDEX reports_by_document ON reports (document_id);

CREATE TABLE report_parents (
    parent_id       TEXT NOT NULL,                     -- document id of the report that is replaced
    content_digest  TEXT NOT NULL REFERENCES reports (content_digest),
    PRIMARY KEY (parent_id, content_digest)
) WITHOUT ROWID;

CREATE TABLE report_messages (
    message_digest  TEXT NOT NULL PRIMARY KEY,
    content_digest  TEXT NOT NULL REFERENCES reports (content_digest)
) WITHOUT ROWID;

-- The studies that a report is about, or that one was about which it replaces.
CREATE TABLE report_studies (
    study_uid       TEXT    NOT NULL,
    content_digest  TEXT    NOT NULL REFERENCES reports (content_digest),
    news            INTEGER NOT NULL,                  -- number of the news that last said it
    PRIMARY KEY (study_uid, content_digest)
) WITHOUT ROWID;

CREATE INDEX report_studies_by_report ON report_studies (content_digest);

CREATE TABLE submissions (
    submission_id    TEXT    NOT NULL PRIMARY KEY,     -- opaque: it may be logged
    study_uid        TEXT    NOT NULL,
    revision         INTEGER NOT NULL,
    patient_key      TEXT    NOT NULL,                 -- whose record it goes into
    -- waiting; stopping: no longer to be sent, but the index may have it; sent, set_aside, dropped
    state            TEXT    NOT NULL,
    attempts         INTEGER NOT NULL DEFAULT 0,
    due_at_ms        BIGINT  NOT NULL,
    leased_until_ms  BIGINT,                           -- whoever sends it has until then
    sent_at_ms       BIGINT,                           -- when it may last have reached the index
    sent_before_ms   BIGINT,                           -- the same, before the attempt under way
    content          BLOB    NOT NULL,
    document         BLOB    NOT NULL,
    index_entry_id   TEXT    NOT NULL DEFAULT '',      -- what the index calls the entry, once sent
    code             TEXT    NOT NULL DEFAULT '',
    enqueued_at_ms   BIGINT  NOT NULL,
    finished_at_ms   BIGINT,
    UNIQUE (study_uid, revision)
);

CREATE INDEX submissions_due ON submissions (due_at_ms) WHERE state IN ('waiting', 'stopping');
