-- query: find_patient_entries
SELECT entry_id, status, resource, set_id, patient_key, created_at_ms FROM entry
WHERE patient_key = :patient_key
  AND status IN (SELECT value FROM json_each(:statuses))
  AND (CAST(:after_ms AS BIGINT) IS NULL OR (created_at_ms, entry_id) < (:after_ms, :after_id))
ORDER BY created_at_ms DESC, entry_id DESC
LIMIT :limit;

-- query: find_patient_sets
SELECT set_id, resource, patient_key FROM submission_set
WHERE patient_key = :patient_key
ORDER BY submitted_at_ms DESC, set_id
LIMIT :limit;

-- query: find_members
-- What sets brought, and what they name by reference.
SELECT entry_id, status, resource, set_id, patient_key FROM entry
WHERE patient_key = :patient_key
  AND (set_id IN (SELECT value FROM json_each(:set_ids))
       OR entry_id IN (SELECT target_id FROM association
                       WHERE patient_key = :patient_key AND relation = 'member'
                         AND source_id IN (SELECT value FROM json_each(:set_ids))))
LIMIT :limit;

-- query: find_associations
SELECT association_id, relation, source_id, target_id FROM association
WHERE patient_key = :patient_key
  AND (source_id IN (SELECT value FROM json_each(:object_ids))
       OR target_id IN (SELECT value FROM json_each(:object_ids)))
ORDER BY association_id
LIMIT :limit;

-- query: find_memberships
SELECT entry_id, set_id FROM entry
WHERE patient_key = :patient_key
  AND (entry_id IN (SELECT value FROM json_each(:object_ids))
       OR set_id IN (SELECT value FROM json_each(:object_ids)))
ORDER BY entry_id
LIMIT :limit;
