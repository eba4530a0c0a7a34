-- query: unchecked
-- A PACS that has its images back tells nobody: what was withdrawn for want of them is asked for,
-- too. In the words of the index, for it is used only then.
SELECT study_uid FROM studies
WHERE (state = 'published' OR code = 'images_gone') AND checked_at_ms < :before_ms
ORDER BY checked_at_ms, study_uid LIMIT :count_max;

-- query: count_checked
SELECT count(*) AS studies FROM studies
WHERE (state = 'published' OR code = 'images_gone') AND checked_at_ms >= :since_ms;

-- query: count_due
SELECT count(*) AS studies FROM studies WHERE due_at_ms <= :now_ms;

-- query: told
-- What is only assumed, no PACS told: it differs from all that one can tell.
SELECT answer, CASE assumed WHEN 0 THEN pacs ELSE '' END AS pacs FROM instances
WHERE study_uid = :study AND answer IS NOT NULL AND gone = 0;

-- query: witness
SELECT study_uid FROM studies
WHERE state = 'published' AND study_uid <> :study AND EXISTS (
    SELECT 1 FROM instances AS told
    WHERE told.study_uid = studies.study_uid AND told.assumed = 0 AND told.pacs IN (
        SELECT pacs FROM instances WHERE study_uid = :study AND pacs <> '' AND assumed = 0))
ORDER BY since_ms DESC LIMIT 1;

-- query: mark_checked
UPDATE studies SET checked_at_ms = :now_ms WHERE study_uid = :study;

-- query: touch
INSERT INTO readiness (number, written_at_ms) VALUES (1, :now_ms)
ON CONFLICT (number) DO UPDATE SET written_at_ms = :now_ms;
