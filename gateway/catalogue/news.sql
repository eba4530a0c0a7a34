-- query: tell_study
-- One row per study; each news has the next number, and is looked at when it is due.
INSERT INTO studies (study_uid, news, due_at_ms, state, code, since_ms, last_pushed_at_ms,
                     ask_pacs_after)
VALUES (:study, 1, :due_at_ms, 'waiting', 'report', :now_ms, :pushed_at_ms, :ask_pacs)
ON CONFLICT (study_uid) DO UPDATE SET
    news = studies.news + 1,
    looks = 0,
    due_at_ms = CASE WHEN studies.due_at_ms < :due_at_ms THEN studies.due_at_ms
                     ELSE :due_at_ms END,
    last_pushed_at_ms = coalesce(:pushed_at_ms, studies.last_pushed_at_ms),
    ask_pacs_after = CASE WHEN :ask_pacs = 1 THEN studies.news + 1 ELSE studies.ask_pacs_after END,
    waiting_since_ms = CASE WHEN :wait_anew = 1 THEN NULL ELSE studies.waiting_since_ms END,
    patient_changed_by =
        CASE WHEN :patient_changed = 1 THEN studies.news + 1 ELSE studies.patient_changed_by END
RETURNING news;

-- query: spoken
UPDATE studies SET spoken_by = :news WHERE study_uid = :study;

-- query: known
SELECT 1 AS known FROM studies WHERE study_uid = :study;
