-- query: drop_unsent
-- An older revision that was never sent has nothing to tell once a newer one is there.
UPDATE submissions SET state = 'dropped', finished_at_ms = :now_ms
WHERE study_uid = :study AND state = 'waiting' AND attempts = 0;

-- query: enqueue
INSERT INTO submissions (submission_id, study_uid, revision, state, due_at_ms, content, document,
                         enqueued_at_ms)
VALUES (:submission_id, :study, :revision, 'waiting', :now_ms, :content, :document, :now_ms);

-- query: claim_due
-- A claim is a lease: a submission whose worker died falls due again at :lease_end_ms. Of one study
-- only the oldest unfinished revision may go: what became of it decides what the next replaces.
UPDATE submissions SET attempts = attempts + 1, due_at_ms = :lease_end_ms
WHERE submission_id IN (
    SELECT submission_id FROM submissions AS candidate
    WHERE state = 'waiting' AND due_at_ms <= :now_ms
      AND NOT EXISTS (SELECT 1 FROM submissions AS older
                      WHERE older.study_uid = candidate.study_uid AND older.state = 'waiting'
                        AND older.revision < candidate.revision)
    ORDER BY due_at_ms, submission_id LIMIT :count_max)
RETURNING submission_id, study_uid, revision, attempts, content, document,
    (SELECT index_entry_id FROM submissions AS sent
     WHERE sent.study_uid = submissions.study_uid AND sent.state = 'sent'
     ORDER BY sent.revision DESC LIMIT 1) AS replaces;

-- query: release_claims
-- At the start of the one process that sends them: leases of the process before it are void.
UPDATE submissions SET due_at_ms = :now_ms WHERE state = 'waiting' AND due_at_ms > :now_ms;

-- query: next_due
SELECT min(due_at_ms) AS due_at_ms FROM submissions AS candidate
WHERE state = 'waiting'
  AND NOT EXISTS (SELECT 1 FROM submissions AS older
                  WHERE older.study_uid = candidate.study_uid AND older.state = 'waiting'
                    AND older.revision < candidate.revision);

-- query: mark_sent
-- The number of attempts is the claim's: a worker whose lease another took over changes nothing.
UPDATE submissions SET state = 'sent', index_entry_id = :index_entry_id, finished_at_ms = :now_ms
WHERE submission_id = :submission_id AND state = 'waiting' AND attempts = :attempts
RETURNING study_uid, revision;

-- query: postpone
UPDATE submissions SET due_at_ms = :due_at_ms
WHERE submission_id = :submission_id AND state = 'waiting' AND attempts = :attempts;

-- query: set_aside
UPDATE submissions SET state = 'set_aside', code = :code, finished_at_ms = :now_ms
WHERE submission_id = :submission_id AND state = 'waiting' AND attempts = :attempts
RETURNING study_uid, revision;

-- query: latest
SELECT state FROM submissions WHERE study_uid = :study ORDER BY revision DESC LIMIT 1;

-- query: list
SELECT submission_id, study_uid, revision, state, attempts, code, enqueued_at_ms, finished_at_ms
FROM submissions ORDER BY enqueued_at_ms DESC, submission_id LIMIT :count_max OFFSET :offset;

-- query: count_by_state
SELECT state, count(*) AS submissions FROM submissions GROUP BY state;
