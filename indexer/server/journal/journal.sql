-- query: find_heads
-- The last line of each record's journal: what the next ones follow.
SELECT head.patient_key, head.position, head.at_ms, head.event, head.hash
FROM json_each(:patient_keys) AS told
JOIN journal AS head ON head.patient_key = told.value
WHERE head.position = (SELECT max(position) FROM journal WHERE patient_key = told.value);

-- query: find_latest
-- A record's lines, the latest first.
SELECT patient_key, position, at_ms, event, hash FROM journal
WHERE patient_key = :patient_key AND position < :before
  AND at_ms >= :since_ms AND at_ms < :until_ms
ORDER BY position DESC
LIMIT :limit;

-- query: find_next
-- All lines, record by record. The keys of a page lie together, so no page costs more than another.
SELECT patient_key, position, at_ms, event, hash FROM journal
WHERE (patient_key, position) > (:after_key, :after_position)
ORDER BY patient_key, position
LIMIT :limit;

-- query: find_next_of_patient
SELECT patient_key, position, at_ms, event, hash FROM journal
WHERE patient_key = :patient_key AND position > :after_position
ORDER BY position
LIMIT :limit;
