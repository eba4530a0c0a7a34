-- query: note
INSERT INTO history (study_uid, number, at_ms, event, code, detail)
SELECT :study, coalesce(max(number), 0) + 1, :now_ms, :event, :code, :detail
FROM history WHERE study_uid = :study;

-- query: history
SELECT number, at_ms, event, code, detail FROM history WHERE study_uid = :study
ORDER BY number LIMIT :count_max OFFSET :offset;

-- query: last
SELECT (SELECT event FROM history WHERE study_uid = :study ORDER BY number DESC LIMIT 1) AS event,
       (SELECT json_extract(detail, '$.until') FROM history
        WHERE study_uid = :study AND event = 'images_received'
        ORDER BY number DESC LIMIT 1) AS pushed_until;
