-- What is said of stored objects. Which instances of a study are listed goes where `filter` stands.

-- query: listed
-- One text, for twenty thousand rows would cost more than all else that a request does.
SELECT news, answers,
       (SELECT group_concat(series_uid || ' ' || instance_uid || ' ' || coalesce(object_key, '')
                            || ' ' || coalesce(transfer_syntax, '')
                            || ' ' || coalesce(size_bytes, ''), char(10))
        FROM (SELECT series_uid, instance_uid, object_key, transfer_syntax, size_bytes
              FROM shown_instances WHERE study_uid = :study AND /* filter */
              ORDER BY series_uid, instance_uid) AS shown) AS listed
FROM studies WHERE study_uid = :study;

-- query: listed [postgresql]
SELECT news, answers,
       (SELECT string_agg(series_uid || ' ' || instance_uid || ' ' || coalesce(object_key, '')
                          || ' ' || coalesce(transfer_syntax, '')
                          || ' ' || concat(size_bytes), chr(10)
                          ORDER BY series_uid, instance_uid)
        FROM shown_instances
        WHERE study_uid = :study AND /* filter */) AS listed
FROM studies WHERE study_uid = :study;

-- query: named
-- Of all that name the same patient and the same exam, one: twenty thousand of them name one.
SELECT max(CAST(coalesce(copied, header) AS TEXT)) AS header FROM shown_instances
WHERE study_uid = :study AND object_key IS NOT NULL AND coalesce(copied, header) IS NOT NULL
  AND /* filter */
GROUP BY json_extract(CAST(coalesce(copied, header) AS TEXT), '$.patient'),
         json_extract(CAST(coalesce(copied, header) AS TEXT), '$.accession');

-- query: named [postgresql]
SELECT max(convert_from(coalesce(copied, header), 'UTF8')) AS header FROM shown_instances
WHERE study_uid = :study AND object_key IS NOT NULL AND coalesce(copied, header) IS NOT NULL
  AND /* filter */
GROUP BY json_extract(convert_from(coalesce(copied, header), 'UTF8'), '$.patient'),
         json_extract(convert_from(coalesce(copied, header), 'UTF8'), '$.accession');

-- query: instance
-- Of the places of frames only those that are asked for, which may be few of very many.
SELECT news, answers, shown.object_key, transfer_syntax, size_bytes, sha256, layout, failure,
       substr(starts, CAST(:starts_at AS INTEGER), CAST(:starts_bytes AS INTEGER)) AS starts
FROM shown_instances AS shown
JOIN studies ON studies.study_uid = shown.study_uid
LEFT JOIN descriptions ON descriptions.object_key = shown.object_key
WHERE shown.study_uid = :study AND shown.series_uid = :series AND shown.instance_uid = :instance;

-- query: metadata
SELECT object_key, metadata, failure FROM descriptions
WHERE object_key IN (SELECT value FROM json_each(:object_keys));

-- query: undescribed
SELECT object_key, transfer_syntax FROM instances
WHERE object_key IS NOT NULL AND described <> object_key LIMIT :count_max;

-- query: undescribed_of
SELECT object_key, transfer_syntax FROM instances
WHERE object_key IN (SELECT value FROM json_each(:object_keys));

-- query: keep
-- The records come as one value, one after the other, for JSON cannot hold bytes. What was replaced
-- meanwhile is left out: nobody would remove its description any more.
INSERT INTO descriptions (object_key, metadata, layout, starts, failure)
SELECT json_extract(value, '$.key'),
       substr(CAST(:records AS BLOB), CAST(json_extract(value, '$.metadata_at') AS INTEGER),
              CAST(json_extract(value, '$.metadata_bytes') AS INTEGER)),
       substr(CAST(:records AS BLOB), CAST(json_extract(value, '$.layout_at') AS INTEGER),
              CAST(json_extract(value, '$.layout_bytes') AS INTEGER)),
       substr(CAST(:records AS BLOB), CAST(json_extract(value, '$.starts_at') AS INTEGER),
              CAST(json_extract(value, '$.starts_bytes') AS INTEGER)),
       json_extract(value, '$.failure')
FROM json_each(:described)
WHERE EXISTS (SELECT 1 FROM instances WHERE object_key = json_extract(value, '$.key'))
ON CONFLICT (object_key) DO UPDATE SET
    metadata = excluded.metadata, layout = excluded.layout, starts = excluded.starts,
    failure = excluded.failure;

-- query: mark_described
UPDATE instances SET described = object_key
WHERE object_key IN (SELECT json_extract(value, '$.key') FROM json_each(:described));
