-- query: held
-- Of an instance under several studies, each row that has its bytes for good: a copy that was
-- pulled may be dropped.
SELECT instance_uid, object_key, size_bytes,
       json_extract(CAST(header AS TEXT), '$.sop_class') AS sop_class
FROM instances
WHERE instance_uid IN (SELECT value FROM json_each(:instances))
  AND object_key IS NOT NULL AND copied IS NULL AND gone = 0;

-- query: held [postgresql]
SELECT instance_uid, object_key, size_bytes,
       json_extract(convert_from(header, 'UTF8'), '$.sop_class') AS sop_class
FROM instances
WHERE instance_uid IN (SELECT value FROM json_each(:instances))
  AND object_key IS NOT NULL AND copied IS NULL AND gone = 0;
