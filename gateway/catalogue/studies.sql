-- query: tell_study
-- One row per study; each news has the next number, and is looked at when it is due.
INSERT INTO studies (study_uid, news, due_at_ms, state, code, since_ms, last_pushed_at_ms,
                     ask_pacs_after)
VALUES (:study, 1, :due_at_ms, 'waiting', 'report', :now_ms, :pushed_at_ms, :ask_pacs)
ON CONFLICT (study_uid) DO UPDATE SET
    news = studies.news + 1,
    looks = 0,
    due_at_ms = min(coalesce(studies.due_at_ms, :due_at_ms), :due_at_ms),
    last_pushed_at_ms = coalesce(:pushed_at_ms, studies.last_pushed_at_ms),
    ask_pacs_after = CASE :ask_pacs WHEN 1 THEN studies.news + 1 ELSE studies.ask_pacs_after END,
    waiting_since_ms = CASE :ask_pacs WHEN 1 THEN NULL ELSE studies.waiting_since_ms END,
    patient_changed_by =
        CASE :patient_changed WHEN 1 THEN studies.news + 1 ELSE studies.patient_changed_by END
RETURNING news;

-- query: stored_instance
SELECT header, object_key, sha256 FROM instances
WHERE study_uid = :study AND instance_uid = :instance AND object_key IS NOT NULL;

-- query: store_instance
INSERT INTO instances (study_uid, series_uid, instance_uid, patient_id, accession, header,
                       object_key, transfer_syntax, size_bytes, sha256)
VALUES (:study, :series, :instance, :patient_id, :accession, :header,
        :object_key, :transfer_syntax, :size_bytes, :sha256)
ON CONFLICT (study_uid, instance_uid) DO UPDATE SET
    series_uid = :series, patient_id = :patient_id, accession = :accession, header = :header,
    object_key = :object_key, transfer_syntax = :transfer_syntax, size_bytes = :size_bytes,
    sha256 = :sha256;

-- query: discard_object
INSERT INTO discarded_objects (object_key, discarded_at_ms) VALUES (:object_key, :now_ms)
ON CONFLICT (object_key) DO NOTHING;

-- query: discarded_before
SELECT object_key FROM discarded_objects WHERE discarded_at_ms <= :before_ms
ORDER BY discarded_at_ms LIMIT :count_max;

-- query: forget_discarded
DELETE FROM discarded_objects WHERE object_key IN (SELECT value FROM json_each(:object_keys));

-- query: referenced_objects
-- What was discarded is still referenced, by the row that will have it removed in its time.
SELECT value AS object_key FROM json_each(:object_keys)
WHERE EXISTS (SELECT 1 FROM instances WHERE object_key = value)
   OR EXISTS (SELECT 1 FROM discarded_objects WHERE object_key = value);

-- query: keep_report
INSERT INTO reports (message_digest, content) VALUES (:message_digest, :content)
ON CONFLICT (message_digest) DO NOTHING RETURNING message_digest;

-- query: link_report
INSERT INTO report_studies (study_uid, message_digest, news)
VALUES (:study, :message_digest, :news) ON CONFLICT (study_uid, message_digest) DO NOTHING;

-- query: forget_unanswered
-- The answer is the whole of what the PACS holds: what it does not name, it no longer has.
DELETE FROM instances
WHERE study_uid = :study AND object_key IS NULL
  AND instance_uid NOT IN (SELECT json_extract(value, '$.instance') FROM json_each(:images));

-- query: unanswer_stored
UPDATE instances SET answer = NULL, pacs = ''
WHERE study_uid = :study AND object_key IS NOT NULL AND pacs <> ''
  AND instance_uid NOT IN (SELECT json_extract(value, '$.instance') FROM json_each(:images));

-- query: store_answer
INSERT INTO instances (study_uid, series_uid, instance_uid, patient_id, accession, answer, pacs)
SELECT :study, json_extract(value, '$.series'), json_extract(value, '$.instance'),
       json_extract(value, '$.patient_id'), json_extract(value, '$.accession'),
       CAST(json_extract(value, '$.answer') AS BLOB), :pacs
FROM json_each(:images) WHERE true
ON CONFLICT (study_uid, instance_uid) DO UPDATE SET
    answer = excluded.answer, pacs = excluded.pacs, series_uid = excluded.series_uid,
    patient_id = excluded.patient_id, accession = excluded.accession;

-- query: answered
UPDATE studies SET pacs_asked_after = :asked_after WHERE study_uid = :study;

-- query: study
SELECT * FROM studies WHERE study_uid = :study;

-- query: images
SELECT header, object_key, transfer_syntax, size_bytes, sha256, answer, pacs FROM instances
WHERE study_uid = :study AND (:series IS NULL OR series_uid = :series)
  AND (:instance IS NULL OR instance_uid = :instance)
ORDER BY series_uid, instance_uid;

-- query: reports
SELECT news, content FROM report_studies JOIN reports USING (message_digest)
WHERE study_uid = :study ORDER BY news;

-- query: claim_due
-- A claim is a lease: a study whose worker died is due again at :lease_end_ms.
UPDATE studies SET due_at_ms = :lease_end_ms
WHERE study_uid IN (SELECT study_uid FROM studies WHERE due_at_ms <= :now_ms
                    ORDER BY due_at_ms, study_uid LIMIT :count_max)
RETURNING study_uid;

-- query: release_claims
-- At the start of the one process that works on them: leases of the process before it are void.
UPDATE studies SET due_at_ms = :now_ms WHERE due_at_ms > :now_ms;

-- query: next_due
SELECT min(due_at_ms) AS due_at_ms FROM studies WHERE due_at_ms IS NOT NULL;

-- query: conclude
-- Void when news came in meanwhile: the study is due again by it.
UPDATE studies SET
    since_ms = CASE WHEN state = :state AND code = :code THEN since_ms ELSE :now_ms END,
    state = :state, code = :code, reason = :reason, looks = looks + 1, due_at_ms = :due_at_ms,
    revision = :revision, fingerprint = :fingerprint, left_out = :left_out,
    waiting_since_ms = :waiting_since_ms,
    pacs_asked_after = CASE :ask_again WHEN 1 THEN -1 ELSE pacs_asked_after END
WHERE study_uid = :study AND news = :news AND revision = :known_revision
RETURNING study_uid;

-- query: mark
-- What became of the latest revision at the index, or of the study while it was fetched.
UPDATE studies SET since_ms = :now_ms, state = :state, code = :code, reason = :reason
WHERE study_uid = :study AND (:revision IS NULL OR revision = :revision)
  AND (:from_state IS NULL OR state = :from_state);

-- query: list
SELECT study_uid, state, code, reason, since_ms, revision, left_out,
       (SELECT count(*) FROM instances AS known WHERE known.study_uid = studies.study_uid)
           AS instances
FROM studies WHERE (:state IS NULL OR state = :state)
ORDER BY since_ms DESC, study_uid LIMIT :count_max OFFSET :offset;

-- query: count_by_state
SELECT state, count(*) AS studies FROM studies GROUP BY state;
