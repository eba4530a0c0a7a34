-- query: standing
SELECT state, code, reason, revision, fingerprint, looks FROM studies WHERE study_uid = :study;

-- query: claim_due
-- A claim is a lease: a study whose worker died may be claimed again after :lease_end_ms.
UPDATE studies SET leased_until_ms = :lease_end_ms
WHERE study_uid IN (SELECT study_uid FROM studies
                    WHERE due_at_ms <= :now_ms AND coalesce(leased_until_ms, 0) <= :now_ms
                    ORDER BY due_at_ms, study_uid LIMIT :count_max)
RETURNING study_uid, news;

-- query: release
UPDATE studies SET leased_until_ms = NULL WHERE study_uid = :study;

-- query: release_claims
-- At the start of the one process that works on them: leases of the process before it are void.
UPDATE studies SET leased_until_ms = NULL WHERE leased_until_ms IS NOT NULL;

-- query: next_due
SELECT min(CASE WHEN leased_until_ms > due_at_ms THEN leased_until_ms ELSE due_at_ms END)
    AS due_at_ms
FROM studies
WHERE due_at_ms IS NOT NULL;

-- query: conclude
-- Void when news came in meanwhile: the study is due again by it.
UPDATE studies SET
    since_ms = CASE WHEN state = :state AND code = :code THEN since_ms ELSE :now_ms END,
    state = :state, code = :code, reason = :reason, looks = looks + 1, due_at_ms = :due_at_ms,
    revision = :revision, fingerprint = :fingerprint, left_out = :left_out,
    waiting_since_ms = :waiting_since_ms,
    pacs_asked_after = CASE WHEN :ask_again = 1 THEN -1 ELSE pacs_asked_after END
WHERE study_uid = :study AND news = :news AND revision = :known_revision
RETURNING study_uid;

-- query: make_due
UPDATE studies SET due_at_ms = :now_ms WHERE study_uid = :study;

-- query: fail
-- A look that failed for a fault of ours would fail again: only news, or a person, helps.
UPDATE studies SET since_ms = :now_ms, state = 'set_aside', code = :code, reason = :reason,
    due_at_ms = NULL
WHERE study_uid = :study AND news = :news
RETURNING study_uid;

-- query: mark
-- What became of the latest revision at the index; that it still waits for a record is no news.
UPDATE studies SET since_ms = :now_ms, state = :state, code = :code, reason = :reason
WHERE study_uid = :study AND revision = :revision
  AND (state = 'queued' OR (state = 'no_record' AND code <> :code))
RETURNING study_uid;

-- query: withdrawal_rejected
UPDATE studies SET since_ms = :now_ms, state = 'set_aside', code = :code, reason = :reason
WHERE study_uid = :study;

-- query: page
-- What is out is the last act that was carried out; what is to be withdrawn is still out. A note
-- that rejects shows nothing, and is not counted.
SELECT study_uid, state, code, reason, since_ms, revision, left_out,
       CASE blocked WHEN 1 THEN 0 ELSE
           (SELECT count(*) FROM instances AS known
            WHERE known.study_uid = studies.study_uid AND known.gone = 0 AND known.rejected = '')
           - (SELECT count(DISTINCT note_uid)
              FROM rejections JOIN instances AS note ON note.study_uid = rejections.study_uid
                                                    AND note.instance_uid = note_uid
              WHERE rejections.study_uid = studies.study_uid
                AND note.gone = 0 AND note.rejected = '')
       END AS instances,
       coalesce((SELECT CASE WHEN act.kind = 'publish' THEN 'published'
                             WHEN act.state = 'sent' THEN 'none' ELSE 'withdrawing' END
                 FROM submissions AS act
                 WHERE act.study_uid = studies.study_uid
                   AND (act.state = 'sent'
                        OR (act.kind = 'withdraw' AND act.state IN ('waiting', 'no_record')))
                 ORDER BY act.revision DESC LIMIT 1), 'none') AS pointer
FROM studies
WHERE state = coalesce(:state, state) AND study_uid = coalesce(:study, study_uid)
ORDER BY since_ms DESC, study_uid LIMIT :count_max OFFSET :offset;

-- query: count_by_state
SELECT state, count(*) AS studies FROM studies GROUP BY state;
