-- query: find_known
-- What the documents of a batch, and their targets, are judged by.
SELECT entry_id, unique_id, patient_key, status,
       json_extract(resource, '$.content[0].attachment.hash') AS hash,
       json_extract(resource, '$.content[0].attachment.size') AS size_bytes
FROM entry
WHERE unique_id IN (SELECT value FROM json_each(:unique_ids))
   OR entry_id IN (SELECT value FROM json_each(:entry_ids));

-- query: find_known_sets
SELECT unique_id FROM submission_set
WHERE unique_id IN (SELECT value FROM json_each(:unique_ids));

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

-- query: add_sets
INSERT INTO submission_set (patient_key, set_id, unique_id, submitted_at_ms, resource)
SELECT json_extract(value, '$.patient_key'), json_extract(value, '$.set_id'),
       json_extract(value, '$.unique_id'), json_extract(value, '$.submitted_at_ms'),
       json_extract(value, '$.resource')
FROM json_each(:sets);

-- query: add_entries
INSERT INTO entry (patient_key, entry_id, unique_id, status, type_scheme, type_code, created_at_ms,
                   reference_ids, resource, set_id, updated_at_ms)
SELECT json_extract(value, '$.patient_key'), json_extract(value, '$.entry_id'),
       json_extract(value, '$.unique_id'), 'current', json_extract(value, '$.type_scheme'),
       json_extract(value, '$.type_code'), json_extract(value, '$.created_at_ms'),
       json_extract(value, '$.reference_ids'), json_extract(value, '$.resource'),
       json_extract(value, '$.set_id'), CAST(:now_ms AS BIGINT)
FROM json_each(:entries);

-- query: add_associations
INSERT INTO association (patient_key, association_id, relation, source_id, target_id)
SELECT json_extract(value, '$.patient_key'), json_extract(value, '$.association_id'),
       json_extract(value, '$.relation'), json_extract(value, '$.source_id'),
       json_extract(value, '$.target_id')
FROM json_each(:associations);

-- query: add_documents
-- The documents of a batch come as one value, for JSON cannot hold bytes.
INSERT INTO document (patient_key, entry_id, mime_type, content)
SELECT json_extract(value, '$.patient_key'), json_extract(value, '$.entry_id'),
       json_extract(value, '$.mime_type'),
       substr(:contents, json_extract(value, '$.starts_at'), json_extract(value, '$.size_bytes'))
FROM json_each(:entries);

-- query: supersede
UPDATE entry SET status = 'superseded', version = version + 1, updated_at_ms = :now_ms
WHERE entry_id IN (SELECT value FROM json_each(:entry_ids)) AND status = 'current';

-- query: update
UPDATE entry SET status = :status, resource = :resource, version = version + 1,
                 updated_at_ms = :now_ms
WHERE patient_key = :patient_key AND entry_id = :entry_id
RETURNING entry_id, status, resource, version, updated_at_ms, patient_key;

-- query: set_status
-- The document of what is Deleted is kept: the DMP has no physical deletion.
UPDATE entry SET status = :status, version = version + 1, updated_at_ms = :now_ms
WHERE patient_key = :patient_key AND entry_id = :entry_id;

-- query: find_by_unique_id
SELECT entry_id, status, resource, version, updated_at_ms, patient_key FROM entry
WHERE unique_id = :unique_id;

-- query: find_by_unique_ids
SELECT entry_id, status, resource, patient_key FROM entry
WHERE unique_id IN (SELECT value FROM json_each(:unique_ids));

-- query: find_entries
SELECT entry_id, status, resource, patient_key FROM entry
WHERE entry_id IN (SELECT value FROM json_each(:entry_ids));

-- query: find_entry
SELECT entry_id, status, resource, version, updated_at_ms, patient_key FROM entry
WHERE entry_id = :entry_id;

-- query: find_submission_set
-- Before a set had an id of its own, it was named by that of its one entry.
SELECT patient_key, resource FROM submission_set
WHERE set_id IN (:set_id, (SELECT set_id FROM entry WHERE entry_id = :set_id));

-- query: find_document
SELECT entry.patient_key, entry.status, document.mime_type, document.content FROM entry
JOIN document ON document.patient_key = entry.patient_key AND document.entry_id = entry.entry_id
WHERE entry.entry_id = :entry_id;

-- query: find_document_sizes
SELECT entry.entry_id, entry.unique_id, length(document.content) AS size_bytes FROM entry
JOIN document ON document.patient_key = entry.patient_key AND document.entry_id = entry.entry_id
WHERE entry.unique_id IN (SELECT value FROM json_each(:unique_ids))
  AND entry.status <> 'entered-in-error'
ORDER BY entry.entry_id;
