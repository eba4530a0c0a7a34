-- query: find_known
-- What the documents of a batch, and their targets, are judged by.
SELECT entry.entry_id, entry.unique_id, entry.patient_key, entry.status,
       json_extract(entry.resource, '$.content[0].attachment.hash') AS hash,
       CAST(json_extract(entry.resource, '$.content[0].attachment.size') AS INTEGER) AS size_bytes
FROM json_each(:places) AS place
JOIN entry ON entry.patient_key = json_extract(place.value, '$.patient_key')
          AND entry.entry_id = json_extract(place.value, '$.object_id');

-- query: find_followers
-- Amendments and transformations of what may be replaced, and of these in turn.
WITH RECURSIVE follower (patient_key, entry_id, target_id) AS (
    SELECT association.patient_key, association.source_id, association.target_id
    FROM json_each(:roots) AS root
    JOIN association ON association.patient_key = json_extract(root.value, '$.patient_key')
                    AND association.target_id = json_extract(root.value, '$.entry_id')
    WHERE association.relation IN ('appends', 'transforms')
    UNION
    SELECT association.patient_key, association.source_id, association.target_id
    FROM follower
    JOIN association ON association.patient_key = follower.patient_key
                    AND association.target_id = follower.entry_id
    WHERE association.relation IN ('appends', 'transforms')
)
SELECT entry_id, target_id FROM follower;

-- query: find_submitters
SELECT entry.entry_id, submission_set.submitter
FROM json_each(:places) AS place
JOIN entry ON entry.patient_key = json_extract(place.value, '$.patient_key')
          AND entry.entry_id = json_extract(place.value, '$.object_id')
JOIN submission_set ON submission_set.patient_key = entry.patient_key
                   AND submission_set.set_id = entry.set_id;

-- query: supersede
UPDATE entry SET status = 'superseded', version = version + 1, updated_at_ms = :now_ms
WHERE (patient_key, entry_id) IN (SELECT json_extract(value, '$.patient_key'),
                                         json_extract(value, '$.object_id')
                                  FROM json_each(:places))
  AND status = 'current';

-- query: update
UPDATE entry SET status = :status, resource = :resource, version = version + 1,
                 updated_at_ms = :now_ms
WHERE patient_key = :patient_key AND entry_id = :entry_id
RETURNING entry_id, status, resource, version, updated_at_ms, patient_key;

-- query: set_status
-- The document of what is Deleted is kept: the DMP has no physical deletion.
UPDATE entry SET status = :status, version = version + 1, updated_at_ms = :now_ms
WHERE patient_key = :patient_key AND entry_id = :entry_id;

-- query: find_document
SELECT entry.status, document.mime_type, document.content FROM entry
JOIN document ON document.patient_key = entry.patient_key AND document.entry_id = entry.entry_id
WHERE entry.patient_key = :patient_key AND entry.entry_id = :entry_id;

-- query: find_document_sizes
SELECT entry.entry_id, entry.patient_key, entry.unique_id,
       length(document.content) AS size_bytes
FROM json_each(:places) AS place
JOIN entry ON entry.patient_key = json_extract(place.value, '$.patient_key')
          AND entry.entry_id = json_extract(place.value, '$.object_id')
JOIN document ON document.patient_key = entry.patient_key AND document.entry_id = entry.entry_id
WHERE entry.status <> 'entered-in-error'
ORDER BY entry.entry_id;
