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
    waiting_since_ms = CASE :wait_anew WHEN 1 THEN NULL ELSE studies.waiting_since_ms END,
    patient_changed_by =
        CASE :patient_changed WHEN 1 THEN studies.news + 1 ELSE studies.patient_changed_by END
RETURNING news;

-- query: disagree
UPDATE studies SET disagreed_by = news, disagreed_code = :code, disagreed_reason = :reason
WHERE study_uid = :study;

-- query: known_instance
SELECT header, answer, object_key, sha256, pacs, gone FROM instances
WHERE study_uid = :study AND instance_uid = :instance;

-- query: store_instance
INSERT INTO instances (study_uid, series_uid, instance_uid, patient_id, accession, header,
                       object_key, transfer_syntax, size_bytes, sha256)
VALUES (:study, :series, :instance, :patient_id, :accession, :header,
        :object_key, :transfer_syntax, :size_bytes, :sha256)
ON CONFLICT (study_uid, instance_uid) DO UPDATE SET
    series_uid = :series, patient_id = :patient_id, accession = :accession, header = :header,
    object_key = :object_key, transfer_syntax = :transfer_syntax, size_bytes = :size_bytes,
    sha256 = :sha256, gone = 0;

-- query: discard_object
INSERT INTO discarded_objects (object_key, discarded_at_ms) VALUES (:object_key, :now_ms)
ON CONFLICT (object_key) DO NOTHING;

-- query: heard_message
SELECT content_digest FROM report_messages WHERE message_digest = :message_digest;

-- query: hear_message
INSERT INTO report_messages (message_digest, content_digest)
VALUES (:message_digest, :content_digest);

-- query: keep_report
INSERT INTO reports (content_digest, document_id, content)
VALUES (:content_digest, :document_id, :content)
ON CONFLICT (content_digest) DO NOTHING;

-- query: keep_parents
INSERT INTO report_parents (parent_id, content_digest)
SELECT value, :content_digest FROM json_each(:parents) WHERE true
ON CONFLICT (parent_id, content_digest) DO NOTHING;

-- query: studies_of_content
SELECT study_uid FROM report_studies WHERE content_digest = :content_digest ORDER BY study_uid;

-- query: studies_of_documents
-- Studies that an earlier word of the report, or one that it replaces, was about.
SELECT DISTINCT study_uid FROM report_studies JOIN reports USING (content_digest)
WHERE document_id IN (SELECT value FROM json_each(:documents));

-- query: link_report
INSERT INTO report_studies (study_uid, content_digest, news)
VALUES (:study, :content_digest, :news)
ON CONFLICT (study_uid, content_digest) DO UPDATE SET news = :news;

-- query: link_heirs
-- What replaces the report came before it, and has its word on these studies, too.
INSERT INTO report_studies (study_uid, content_digest, news)
SELECT :study, content_digest, :news FROM report_parents WHERE parent_id = :document_id
ON CONFLICT (study_uid, content_digest) DO NOTHING;

-- query: forget_unanswered
-- The answer is the whole of what the PACS holds: what it does not name, it no longer has.
DELETE FROM instances
WHERE study_uid = :study AND object_key IS NULL
  AND instance_uid NOT IN (SELECT json_extract(value, '$.instance') FROM json_each(:images));

-- query: unanswer_stored
UPDATE instances SET answer = NULL, pacs = '', gone = 1
WHERE study_uid = :study AND object_key IS NOT NULL AND pacs <> ''
  AND instance_uid NOT IN (SELECT json_extract(value, '$.instance') FROM json_each(:images));

-- query: store_answer
INSERT INTO instances (study_uid, series_uid, instance_uid, patient_id, accession, answer, pacs)
SELECT :study, json_extract(value, '$.series'), json_extract(value, '$.instance'),
       json_extract(value, '$.patient_id'), json_extract(value, '$.accession'),
       CAST(json_extract(value, '$.answer') AS BLOB), json_extract(value, '$.pacs')
FROM json_each(:images) WHERE true
ON CONFLICT (study_uid, instance_uid) DO UPDATE SET
    answer = excluded.answer, pacs = excluded.pacs, series_uid = excluded.series_uid,
    patient_id = excluded.patient_id, accession = excluded.accession, gone = 0;

-- query: answered
-- An answer to an older question than the last one is void.
UPDATE studies SET pacs_asked_after = :asked_after
WHERE study_uid = :study AND pacs_asked_after <= :asked_after
RETURNING study_uid;

-- query: study
SELECT * FROM studies WHERE study_uid = :study;

-- query: images
SELECT header, object_key, transfer_syntax, size_bytes, sha256, answer, pacs FROM instances
WHERE study_uid = :study AND gone = 0 AND (:series IS NULL OR series_uid = :series)
  AND (:instance IS NULL OR instance_uid = :instance)
ORDER BY series_uid, instance_uid;

-- query: reports
SELECT news, content FROM report_studies JOIN reports USING (content_digest)
WHERE study_uid = :study ORDER BY news;
