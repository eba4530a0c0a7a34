-- query: entries_by_patient
SELECT entry_id, status, resource, version, updated_at_ms, patient_key,
       entry_id AS id, created_at_ms AS at_ms
FROM entry
WHERE patient_key = :patient_key
  AND status IN (SELECT value FROM json_each(:statuses))
  AND (CAST(:type_code AS TEXT) IS NULL OR type_code = :type_code)
  AND (CAST(:type_scheme AS TEXT) IS NULL OR type_scheme = :type_scheme)
  AND (CAST(:reference_kind AS TEXT) IS NULL OR EXISTS (
        SELECT 1 FROM json_each(reference_ids) AS reference
        WHERE json_extract(reference.value, '$.kind') = :reference_kind
          AND json_extract(reference.value, '$.value') = :reference_value))
  AND (CAST(:after_ms AS BIGINT) IS NULL OR (created_at_ms, entry_id) < (:after_ms, :after_id))
ORDER BY created_at_ms DESC, entry_id DESC
LIMIT :limit;

-- query: sets_by_patient
SELECT set_id AS id, submitted_at_ms AS at_ms, resource, patient_key FROM submission_set
WHERE patient_key = :patient_key
  AND (CAST(:after_ms AS BIGINT) IS NULL OR (submitted_at_ms, set_id) < (:after_ms, :after_id))
ORDER BY submitted_at_ms DESC, set_id DESC
LIMIT :limit;
