-- query: disagree
UPDATE studies SET disagreed_by = news, disagreed_code = :code, disagreed_reason = :reason
WHERE study_uid = :study;

-- query: known_instance
-- Nobody has told yet what is only assumed of it.
SELECT header, CASE assumed WHEN 0 THEN answer END AS answer, object_key, sha256,
       CASE assumed WHEN 0 THEN pacs ELSE '' END AS pacs, gone, rejected, copied, series_uid,
       sop_class
FROM instances WHERE study_uid = :study AND instance_uid = :instance;

-- query: store_instance
INSERT INTO instances (study_uid, series_uid, instance_uid, patient_id, accession, header,
                       object_key, transfer_syntax, size_bytes, sha256, sop_class,
                       instance_number, stored_by, rejected)
VALUES (:study, :series, :instance, :patient_id, :accession, :header,
        :object_key, :transfer_syntax, :size_bytes, :sha256, :sop_class, :instance_number,
        coalesce((SELECT news FROM studies WHERE study_uid = :study), 0) + 1,
        coalesce((SELECT max(code) FROM rejections
                  WHERE study_uid = :study AND instance_uid = :instance), ''))
ON CONFLICT (study_uid, instance_uid) DO UPDATE SET
    series_uid = :series, patient_id = :patient_id, accession = :accession, header = :header,
    object_key = :object_key, transfer_syntax = :transfer_syntax, size_bytes = :size_bytes,
    sha256 = :sha256, gone = 0, assumed = 0, copied = NULL, is_copy = 0,
    stored_by = excluded.stored_by,
    sop_class = :sop_class,
    instance_number = CASE WHEN instances.answer IS NULL OR instances.assumed = 1
                           THEN :instance_number
                           ELSE coalesce(instances.instance_number, :instance_number) END,
    answer = CASE instances.assumed WHEN 0 THEN instances.answer END,
    pacs = CASE instances.assumed WHEN 0 THEN instances.pacs ELSE '' END
RETURNING rejected;

-- query: exchange_object
-- Nothing, if another data set has taken the place meanwhile.
UPDATE instances SET object_key = :object_key WHERE object_key = :lost AND sha256 = :sha256;

-- query: forget_description
DELETE FROM descriptions WHERE object_key = :lost;

-- query: discard_object
INSERT INTO discarded_objects (object_key, discarded_at_ms) VALUES (:object_key, :now_ms)
ON CONFLICT (object_key) DO NOTHING;

-- query: forget_unanswered
-- The answer is the whole of what the PACS holds: what it does not name, it no longer has. But if
-- it knows nothing of the study, nothing tells that it ever held what is assumed of it.
DELETE FROM instances
WHERE study_uid = :study AND object_key IS NULL AND (assumed = 0 OR :images <> '[]')
  AND instance_uid NOT IN (SELECT json_extract(value, '$.instance') FROM json_each(:images));

-- query: unanswer_kept
UPDATE instances SET answer = NULL, pacs = '', gone = 1, is_copy = 0
WHERE study_uid = :study AND pacs <> ''
  AND instance_uid NOT IN (SELECT json_extract(value, '$.instance') FROM json_each(:images));

-- query: store_answer
-- The answers come as one value, one after the other, for JSON cannot hold bytes.
INSERT INTO instances (study_uid, series_uid, instance_uid, patient_id, accession, answer, pacs,
                       sop_class, instance_number, rejected)
SELECT :study, json_extract(value, '$.series'), json_extract(value, '$.instance'),
       json_extract(value, '$.patient_id'), json_extract(value, '$.accession'),
       substr(CAST(:answers AS BLOB), CAST(json_extract(value, '$.starts_at') AS INTEGER),
              CAST(json_extract(value, '$.size_bytes') AS INTEGER)),
       json_extract(value, '$.pacs'), json_extract(value, '$.sop_class'),
       CAST(json_extract(value, '$.instance_number') AS BIGINT),
       coalesce((SELECT max(code) FROM rejections
                 WHERE study_uid = :study
                   AND instance_uid = json_extract(value, '$.instance')), '')
FROM json_each(:images) WHERE true
ON CONFLICT (study_uid, instance_uid) DO UPDATE SET
    answer = excluded.answer, pacs = excluded.pacs, series_uid = excluded.series_uid,
    patient_id = coalesce(nullif(excluded.patient_id, ''), instances.patient_id),
    accession = coalesce(nullif(excluded.accession, ''), instances.accession), gone = 0,
    assumed = 0,
    -- What came after the question was asked, the answer may not mean.
    is_copy = CASE WHEN instances.object_key IS NOT NULL AND instances.stored_by <= :asked_after
                   THEN 1 ELSE instances.is_copy END,
    sop_class = excluded.sop_class,
    instance_number = coalesce(excluded.instance_number, instances.instance_number);

-- query: assume
-- Where no PACS is named, they are nowhere yet.
UPDATE instances SET assumed = 1, gone = CASE pacs WHEN '' THEN 1 ELSE 0 END
WHERE study_uid = :study AND object_key IS NULL;

-- query: answered
-- An answer to an older question than the last one is void.
UPDATE studies SET pacs_asked_after = :asked_after, answers = answers + 1
WHERE study_uid = :study AND pacs_asked_after <= :asked_after
RETURNING study_uid;

-- query: study
SELECT *, EXISTS (SELECT 1 FROM instances AS sought
                  WHERE sought.study_uid = studies.study_uid AND assumed = 1 AND gone = 1
                    AND rejected = '') AS seeks
FROM studies WHERE study_uid = :study;

-- query: images
-- What is held of a study, rejected or not.
SELECT header, object_key, transfer_syntax, size_bytes, sha256, answer, pacs, rejected, copied
FROM instances WHERE study_uid = :study AND gone = 0
ORDER BY series_uid, instance_uid;

-- query: images_apart
-- Of all of whom the same is told, one.
SELECT header, object_key, transfer_syntax, size_bytes, sha256, answer, pacs, rejected, copied
FROM instances WHERE study_uid = :study AND instance_uid IN (
    SELECT min(instance_uid) FROM instances WHERE study_uid = :study AND gone = 0
    GROUP BY rejected,
             json_extract(CAST(header AS TEXT), '$.patient'),
             json_extract(CAST(header AS TEXT), '$.accession'),
             json_extract(CAST(header AS TEXT), '$.title_code'),
             json_extract(CAST(answer AS TEXT), '$.patient'),
             json_extract(CAST(answer AS TEXT), '$.accession'),
             json_extract(CAST(answer AS TEXT), '$.title_code'))
ORDER BY series_uid, instance_uid;

-- query: images_apart [postgresql]
SELECT header, object_key, transfer_syntax, size_bytes, sha256, answer, pacs, rejected, copied
FROM instances WHERE study_uid = :study AND instance_uid IN (
    SELECT min(instance_uid) FROM instances WHERE study_uid = :study AND gone = 0
    GROUP BY rejected,
             json_extract(convert_from(header, 'UTF8'), '$.patient'),
             json_extract(convert_from(header, 'UTF8'), '$.accession'),
             json_extract(convert_from(header, 'UTF8'), '$.title_code'),
             json_extract(convert_from(answer, 'UTF8'), '$.patient'),
             json_extract(convert_from(answer, 'UTF8'), '$.accession'),
             json_extract(convert_from(answer, 'UTF8'), '$.title_code'))
ORDER BY series_uid, instance_uid;

-- query: shown
SELECT header, object_key, transfer_syntax, size_bytes, sha256, answer, pacs, rejected, copied
FROM shown_instances
WHERE study_uid = :study AND series_uid = coalesce(:series, series_uid)
  AND instance_uid = coalesce(:instance, instance_uid)
ORDER BY series_uid, instance_uid;

-- query: disagreed
SELECT disagreed_by FROM studies WHERE study_uid = :study AND disagreed_by > 0;

-- query: published
-- What is out: the last act that was carried out.
SELECT kind, content FROM submissions WHERE study_uid = :study AND state = 'sent'
ORDER BY revision DESC LIMIT 1;

-- query: described
-- Whatever was ever told, held or not.
SELECT instance_uid, coalesce(answer, header) AS description FROM instances
WHERE study_uid = :study AND coalesce(answer, header) IS NOT NULL;

-- query: reject
INSERT INTO rejections (study_uid, instance_uid, note_uid, code)
SELECT :study, value, :note, :code FROM json_each(:instances) WHERE true
ON CONFLICT (study_uid, instance_uid, note_uid) DO NOTHING
RETURNING instance_uid;

-- query: mark_rejected
UPDATE instances SET rejected = :code
WHERE study_uid = :study AND instance_uid IN (SELECT value FROM json_each(:instances));
