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

-- query: keep_patients
INSERT INTO report_patients (local_id, content_digest)
SELECT value, :content_digest FROM json_each(:ids) WHERE true
ON CONFLICT (local_id, content_digest) DO NOTHING;

-- query: studies_of_content
SELECT study_uid FROM report_studies WHERE content_digest = :content_digest ORDER BY study_uid;

-- query: studies_of_documents
-- Studies that an earlier word of the report, or one that it replaces, was about.
SELECT DISTINCT study_uid FROM report_studies JOIN reports USING (content_digest)
WHERE document_id IN (SELECT value FROM json_each(:documents));

-- query: link_report
INSERT INTO report_studies (study_uid, content_digest, news, said_at_ms)
VALUES (:study, :content_digest, :news, :said_at_ms)
ON CONFLICT (study_uid, content_digest) DO UPDATE SET
    news = :news,
    said_at_ms = CASE WHEN report_studies.said_at_ms > excluded.said_at_ms
                      THEN report_studies.said_at_ms
                      ELSE coalesce(excluded.said_at_ms, report_studies.said_at_ms) END;

-- query: link_others
-- What else was said of the report, and of those that replace it, came before it and has its word
-- on these studies, too.
WITH RECURSIVE heirs (document_id) AS (
    VALUES (:document_id)
    UNION
    SELECT heir.document_id FROM heirs JOIN report_parents ON parent_id = heirs.document_id
    JOIN reports AS heir USING (content_digest)
)
INSERT INTO report_studies (study_uid, content_digest, news, said_at_ms)
SELECT :study, content_digest, :news,
       (SELECT max(said_at_ms) FROM report_studies AS said
        WHERE said.content_digest = reports.content_digest)
FROM reports WHERE document_id IN (SELECT document_id FROM heirs)
ON CONFLICT (study_uid, content_digest) DO NOTHING;

-- query: reports
-- Those on the study, and on another that a person matched to it, whose news has other numbers.
SELECT report_studies.study_uid, coalesce(reported_by, news) AS news, said_at_ms, content
FROM report_studies JOIN reports USING (content_digest)
LEFT JOIN matches ON reported_as = report_studies.study_uid AND matches.study_uid = :study
WHERE report_studies.study_uid = :study OR reported_by IS NOT NULL
ORDER BY report_studies.news;

-- query: matched
SELECT study_uid FROM matches WHERE reported_as = :study ORDER BY study_uid;

-- query: matched_by
UPDATE matches SET reported_by = :news WHERE study_uid = :study AND reported_as = :reported_as;
