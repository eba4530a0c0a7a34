-- query: of
-- What was last decided of a study and not dropped: another gateway's pointer must be later.
SELECT kind, state, content FROM submissions
WHERE study_uid = :study AND state <> 'dropped'
ORDER BY revision DESC LIMIT 1;

-- query: count
SELECT count(*) AS pointers FROM submissions AS latest
WHERE state = 'sent' AND kind = 'publish'
  AND (:studies = '[]' OR study_uid IN (SELECT value FROM json_each(:studies)))
  AND NOT EXISTS (SELECT 1 FROM submissions AS later
                  WHERE later.study_uid = latest.study_uid AND later.revision > latest.revision
                    AND (later.state = 'sent'
                         OR (later.kind = 'withdraw' AND later.state <> 'dropped')));

-- query: page
-- What is out and is to stay so: the last act on each study that was carried out, unless it
-- withdrew, or is to be withdrawn.
SELECT study_uid, content, document FROM submissions AS latest
WHERE study_uid > :after AND state = 'sent' AND kind = 'publish'
  AND (:studies = '[]' OR study_uid IN (SELECT value FROM json_each(:studies)))
  AND NOT EXISTS (SELECT 1 FROM submissions AS later
                  WHERE later.study_uid = latest.study_uid AND later.revision > latest.revision
                    AND (later.state = 'sent'
                         OR (later.kind = 'withdraw' AND later.state <> 'dropped')))
ORDER BY study_uid LIMIT :count_max;

-- query: taken_over
SELECT detail FROM history WHERE study_uid = :study AND event = 'taken_over'
ORDER BY number DESC LIMIT 1;
