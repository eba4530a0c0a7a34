-- query: find
SELECT id, patient_key, object_id FROM directory
WHERE kind = :kind AND id IN (SELECT value FROM json_each(:ids));

-- query: entries
SELECT entry.entry_id, entry.unique_id, entry.status, entry.resource, entry.version,
       entry.updated_at_ms, entry.set_id, entry.patient_key, entry.entry_id AS id,
       entry.created_at_ms AS at_ms
FROM json_each(:places) AS place
JOIN entry ON entry.patient_key = json_extract(place.value, '$.patient_key')
          AND entry.entry_id = json_extract(place.value, '$.object_id');

-- query: sets
SELECT submission_set.unique_id, submission_set.resource, submission_set.patient_key,
       submission_set.set_id AS id, submission_set.submitted_at_ms AS at_ms
FROM json_each(:places) AS place
JOIN submission_set ON submission_set.patient_key = json_extract(place.value, '$.patient_key')
                   AND submission_set.set_id = json_extract(place.value, '$.object_id');
