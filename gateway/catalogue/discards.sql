-- query: discarded_before
SELECT object_key FROM discarded_objects WHERE discarded_at_ms <= :before_ms
ORDER BY discarded_at_ms LIMIT :count_max;

-- query: forget_discarded
DELETE FROM discarded_objects WHERE object_key IN (SELECT value FROM json_each(:object_keys));

-- query: forget_descriptions
DELETE FROM descriptions WHERE object_key IN (SELECT value FROM json_each(:object_keys));

-- query: referenced_objects
-- What was discarded is still referenced, by the row that will have it removed in its time.
SELECT value AS object_key FROM json_each(:object_keys)
WHERE EXISTS (SELECT 1 FROM instances WHERE object_key = value)
   OR EXISTS (SELECT 1 FROM discarded_objects WHERE object_key = value);
