-- query: find_patient_entries
SELECT entry_id, status, resource, set_id, patient_key, created_at_ms FROM entry
WHERE patient_key = :patient_key
  AND status IN (SELECT value FROM json_each(:statuses))
  AND (:after_ms IS NULL OR (created_at_ms, entry_id) < (:after_ms, :after_id))
ORDER BY created_at_ms DESC, entry_id DESC
LIMIT :limit;

-- query: find_entries
-- By the ids that the index allotted, or by unique ids: the one way in that names no patient.
SELECT entry_id, status, resource, set_id, patient_key FROM entry
WHERE entry_id IN (SELECT value FROM json_each(:entry_ids))
   OR unique_id IN (SELECT value FROM json_each(:unique_ids))
LIMIT :limit;

-- query: find_sets
SELECT set_id, resource, patient_key FROM submission_set
WHERE set_id IN (SELECT value FROM json_each(:set_ids))
   OR unique_id IN (SELECT value FROM json_each(:unique_ids))
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
