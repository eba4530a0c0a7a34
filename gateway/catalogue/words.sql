-- query: hear
INSERT INTO heard_messages (message_digest) VALUES (:message_digest)
ON CONFLICT (message_digest) DO NOTHING RETURNING message_digest;

-- query: known_order
SELECT content FROM orders WHERE order_key = :order_key;

-- query: keep_order
INSERT INTO orders (order_key, content) VALUES (:order_key, :content)
ON CONFLICT (order_key) DO UPDATE SET content = excluded.content;

-- query: forget_studies
DELETE FROM order_studies WHERE order_key = :order_key;

-- query: forget_accessions
DELETE FROM order_accessions WHERE order_key = :order_key;

-- query: link_studies
INSERT INTO order_studies (study_uid, order_key)
SELECT value, :order_key FROM json_each(:studies) WHERE true
ON CONFLICT (study_uid, order_key) DO NOTHING;

-- query: link_accessions
INSERT INTO order_accessions (accession, order_key)
SELECT value, :order_key FROM json_each(:accessions) WHERE true
ON CONFLICT (accession, order_key) DO NOTHING;

-- query: studies_of_order
-- Those that are known already: an order may come days before its exam.
SELECT study_uid FROM order_studies JOIN studies USING (study_uid) WHERE order_key = :order_key
UNION
SELECT study_uid FROM order_accessions JOIN instances USING (accession)
WHERE order_key = :order_key AND accession <> ''
ORDER BY study_uid;

-- query: orders
SELECT content FROM orders
WHERE order_key IN (SELECT order_key FROM order_studies WHERE study_uid = :study
                    UNION
                    SELECT order_key FROM order_accessions
                    WHERE accession IN (SELECT value FROM json_each(:accessions)))
ORDER BY order_key;

-- query: keep_word
INSERT INTO patient_words (number, heard_at_ms, content)
SELECT coalesce(max(number), 0) + 1, :now_ms, :content FROM patient_words
RETURNING number;

-- query: link_ids
INSERT INTO patient_word_ids (local_id, number)
SELECT value, :number FROM json_each(:ids) WHERE true
ON CONFLICT (local_id, number) DO NOTHING;

-- query: studies_of_ids
-- Of everyone whom some word makes the same person.
WITH RECURSIVE same (local_id) AS (
    SELECT value FROM json_each(:ids)
    UNION
    SELECT other.local_id FROM same JOIN patient_word_ids AS mine USING (local_id)
    JOIN patient_word_ids AS other ON other.number = mine.number
)
SELECT study_uid FROM same JOIN instances ON instances.patient_id = same.local_id
UNION
SELECT study_uid FROM same JOIN report_patients USING (local_id)
JOIN report_studies USING (content_digest)
ORDER BY study_uid;

-- query: words
WITH RECURSIVE same (local_id) AS (
    SELECT value FROM json_each(:ids)
    UNION
    SELECT other.local_id FROM same JOIN patient_word_ids AS mine USING (local_id)
    JOIN patient_word_ids AS other ON other.number = mine.number
)
SELECT number, heard_at_ms, content FROM patient_words
WHERE number IN (SELECT number FROM same JOIN patient_word_ids USING (local_id))
ORDER BY number;
