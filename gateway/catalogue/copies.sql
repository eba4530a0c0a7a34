-- Which of the objects here are copies: what a PACS holds, too, so that it can be had again.

-- query: asked_after
SELECT pacs_asked_after FROM studies WHERE study_uid = :study;

-- query: keep
-- Nothing if the instance came otherwise meanwhile, was deleted, or is told otherwise by now.
UPDATE instances SET object_key = :object_key, transfer_syntax = :transfer_syntax,
    size_bytes = :size_bytes, sha256 = :sha256, copied = :copied, is_copy = 1
WHERE study_uid = :study AND instance_uid = :instance AND pacs = :pacs
  AND object_key IS NULL AND gone = 0
  AND (SELECT pacs_asked_after FROM studies WHERE study_uid = :study) = :asked_after
RETURNING instance_uid;

-- query: size
SELECT CAST(coalesce(sum(size_bytes), 0) AS BIGINT) AS size_bytes FROM instances
WHERE is_copy = 1;

-- query: least_read
-- Whole studies, for who reads one instance reads the next. What no PACS of the settings holds
-- could not be had again.
SELECT study_uid FROM instances JOIN studies USING (study_uid)
WHERE is_copy = 1 AND pacs IN (SELECT value FROM json_each(:pacs))
  AND study_uid NOT IN (SELECT value FROM json_each(:in_use))
GROUP BY study_uid, read_at_ms
ORDER BY read_at_ms, study_uid LIMIT :count_max;

-- query: of_study
SELECT instance_uid, object_key, size_bytes FROM instances
WHERE study_uid = :study AND is_copy = 1 AND pacs IN (SELECT value FROM json_each(:pacs))
ORDER BY series_uid, instance_uid;

-- query: pulled
SELECT instance_uid, object_key, size_bytes, pacs, answer FROM instances
WHERE study_uid = :study AND is_copy = 1 AND copied IS NOT NULL;

-- query: drop
UPDATE instances SET object_key = NULL, transfer_syntax = NULL, size_bytes = NULL, sha256 = NULL,
    copied = NULL, is_copy = 0
WHERE study_uid = :study AND is_copy = 1
  AND instance_uid IN (SELECT value FROM json_each(:instances));

-- query: discard
INSERT INTO discarded_objects (object_key, discarded_at_ms)
SELECT value, :now_ms FROM json_each(:object_keys) WHERE true
ON CONFLICT (object_key) DO NOTHING;

-- query: read
UPDATE studies SET read_at_ms = told.at_ms
FROM (SELECT json_extract(value, '$.study') AS study,
             CAST(json_extract(value, '$.at_ms') AS BIGINT) AS at_ms FROM json_each(:reads)) AS told
WHERE study_uid = told.study AND read_at_ms < told.at_ms;

-- query: earlier_studies
-- Of everyone whom some word makes the same person, those of which something is not here, told by
-- one of their instances.
WITH RECURSIVE same (local_id) AS (
    SELECT value FROM json_each(:ids)
    UNION
    SELECT other.local_id FROM same JOIN patient_word_ids AS mine USING (local_id)
    JOIN patient_word_ids AS other ON other.number = mine.number
), earlier AS (
    SELECT study_uid, min(instance_uid) AS instance_uid
    FROM same JOIN shown_instances ON patient_id = same.local_id
    WHERE pacs <> '' AND object_key IS NULL
    GROUP BY study_uid ORDER BY study_uid LIMIT :count_max
)
SELECT study_uid, answer FROM earlier JOIN instances USING (study_uid, instance_uid)
WHERE answer IS NOT NULL;
