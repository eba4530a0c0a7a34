-- query: drop_unsent
-- An older revision that was never sent has nothing to tell once a newer one is there. What was to
-- be withdrawn from the same patient's record is replaced in it instead.
UPDATE submissions SET state = 'dropped', finished_at_ms = :now_ms
WHERE study_uid = :study AND state IN ('waiting', 'no_record') AND sent_at_ms IS NULL
  AND (kind = 'publish' OR patient_key = :patient_key);

-- query: hasten
-- What may be in a record that took nothing later is to be known before the newer one goes there.
UPDATE submissions SET due_at_ms = :now_ms
WHERE study_uid = :study AND state = 'no_record' AND patient_key = :patient_key;

-- query: stop
-- What may no longer be published is not sent; what may be in the index already is asked for.
UPDATE submissions SET
    state = CASE WHEN sent_at_ms IS NULL THEN 'dropped' ELSE 'stopping' END,
    finished_at_ms = CASE WHEN sent_at_ms IS NULL THEN CAST(:now_ms AS BIGINT) END,
    due_at_ms = CASE state WHEN 'no_record' THEN CAST(:now_ms AS BIGINT) ELSE due_at_ms END
WHERE study_uid = :study AND state IN ('waiting', 'no_record') AND kind = 'publish';

-- query: enqueue
INSERT INTO submissions (submission_id, study_uid, revision, patient_key, state, due_at_ms,
                         content, document, enqueued_at_ms)
VALUES (:submission_id, :study, :revision, :patient_key, 'waiting', :now_ms,
        :content, :document, :now_ms);

-- query: withdraw
INSERT INTO submissions (submission_id, study_uid, revision, patient_key, kind, state, due_at_ms,
                         content, document, enqueued_at_ms)
VALUES (:submission_id, :study, :revision, :patient_key, 'withdraw', 'waiting', :now_ms,
        CAST('' AS BLOB), CAST('' AS BLOB), :now_ms);

-- query: adopt
-- Another gateway of the centre published it; what the index calls it is asked when it is needed.
INSERT INTO submissions (submission_id, study_uid, revision, patient_key, state, due_at_ms,
                         content, document, enqueued_at_ms, finished_at_ms)
VALUES (:submission_id, :study, :revision, :patient_key, 'sent', :now_ms,
        :content, :document, :now_ms, :now_ms);

-- query: adopted
SELECT submission_id, content FROM submissions
WHERE study_uid = :study AND state = 'sent' AND kind = 'publish' AND index_entry_id = ''
ORDER BY revision DESC LIMIT 1;

-- query: entries
-- What the index holds of the study in one patient's record, the current entry first: those that it
-- replaced can still be asked for.
SELECT index_entry_id FROM submissions AS entry
WHERE study_uid = :study AND kind = 'publish' AND state = 'sent' AND index_entry_id <> ''
  AND patient_key = (SELECT patient_key FROM submissions WHERE submission_id = :submission_id)
  AND revision > coalesce((SELECT max(revision) FROM submissions AS taken
                           WHERE taken.study_uid = :study AND taken.kind = 'withdraw'
                             AND taken.state = 'sent'
                             AND taken.patient_key = entry.patient_key), 0)
ORDER BY revision DESC;

-- query: adopted_in
-- What was taken over in one patient's record; it never was to be sent.
SELECT content FROM submissions
WHERE study_uid = :study AND kind = 'publish' AND state = 'sent' AND attempts = 0
  AND patient_key = (SELECT patient_key FROM submissions WHERE submission_id = :submission_id)
ORDER BY revision DESC LIMIT 1;

-- query: replacement
-- A later revision of the study for the same patient's record.
SELECT later.submission_id FROM submissions AS later
JOIN submissions AS withdrawal USING (study_uid, patient_key)
WHERE withdrawal.submission_id = :submission_id AND later.study_uid = :study
  AND later.kind = 'publish' AND later.state IN ('waiting', 'no_record')
  AND later.revision > withdrawal.revision;

-- query: name_entry
UPDATE submissions SET index_entry_id = :index_entry_id WHERE submission_id = :submission_id;

-- query: claim_due
-- A claim is a lease: a submission whose worker died may be claimed again after :lease_end_ms. Of
-- one study only the oldest unfinished revision may go: what became of it decides what the next
-- replaces. What waits for one patient's record keeps nothing from another's.
UPDATE submissions SET attempts = attempts + 1, leased_until_ms = :lease_end_ms,
    sent_at_ms = CASE state WHEN 'stopping' THEN sent_at_ms ELSE :now_ms END,
    sent_before_ms = sent_at_ms
WHERE submission_id IN (
    SELECT submission_id FROM submissions AS candidate
    WHERE state IN ('waiting', 'stopping', 'no_record') AND due_at_ms <= :now_ms
      AND coalesce(leased_until_ms, 0) <= :now_ms
      AND NOT EXISTS (SELECT 1 FROM submissions AS older
                      WHERE older.study_uid = candidate.study_uid
                        AND older.revision < candidate.revision
                        AND (older.state IN ('waiting', 'stopping')
                             OR (older.state = 'no_record'
                                 AND older.patient_key = candidate.patient_key)))
    ORDER BY due_at_ms, submission_id LIMIT :count_max)
RETURNING submission_id, study_uid, patient_key, revision, kind, state, attempts, sent_before_ms,
    content, document,
    (SELECT CASE sent.kind WHEN 'publish' THEN sent.index_entry_id END FROM submissions AS sent
     WHERE sent.study_uid = submissions.study_uid AND sent.state = 'sent'
       AND sent.patient_key = submissions.patient_key
     ORDER BY sent.revision DESC LIMIT 1) AS replaces;

-- query: release_claims
-- At the start of the one process that sends them: leases of the process before it are void.
UPDATE submissions SET leased_until_ms = NULL WHERE leased_until_ms IS NOT NULL;

-- query: next_due
SELECT min(CASE WHEN leased_until_ms > due_at_ms THEN leased_until_ms ELSE due_at_ms END)
    AS due_at_ms
FROM submissions AS candidate
WHERE state IN ('waiting', 'stopping', 'no_record')
  AND NOT EXISTS (SELECT 1 FROM submissions AS older
                  WHERE older.study_uid = candidate.study_uid
                    AND older.revision < candidate.revision
                    AND (older.state IN ('waiting', 'stopping')
                         OR (older.state = 'no_record'
                             AND older.patient_key = candidate.patient_key)));

-- query: finish
-- The number of attempts is the claim's: a worker whose lease another took over changes nothing.
UPDATE submissions SET state = :state, index_entry_id = :index_entry_id, code = :code,
    finished_at_ms = :now_ms, leased_until_ms = NULL
WHERE submission_id = :submission_id AND attempts = :attempts
  AND state IN ('waiting', 'stopping', 'no_record')
RETURNING study_uid;

-- query: lack_record
-- The index said that it did not take this attempt; what was known before it stays so.
UPDATE submissions SET state = 'no_record', code = :code, due_at_ms = :due_at_ms,
    leased_until_ms = NULL, sent_at_ms = sent_before_ms
WHERE submission_id = :submission_id AND attempts = :attempts
  AND state IN ('waiting', 'no_record')
RETURNING study_uid;

-- query: last_to_wait
SELECT max(revision) AS revision FROM submissions
WHERE study_uid = :study AND patient_key = :patient_key AND kind = 'publish'
  AND state IN ('waiting', 'no_record');

-- query: forget_documents
-- What a revision that was sent has replaced, nobody asks for again.
UPDATE submissions SET document = CAST('' AS BLOB)
WHERE study_uid = :study AND revision < :revision AND length(document) > 0
  AND state IN ('sent', 'dropped', 'set_aside');

-- query: postpone
-- An attempt that did not even reach the index leaves what was known before it.
UPDATE submissions SET due_at_ms = :due_at_ms, leased_until_ms = NULL,
    sent_at_ms = CASE WHEN :never_sent = 1 THEN sent_before_ms ELSE sent_at_ms END
WHERE submission_id = :submission_id AND attempts = :attempts
  AND state IN ('waiting', 'stopping', 'no_record');

-- query: latest
SELECT kind, state FROM submissions WHERE study_uid = :study ORDER BY revision DESC LIMIT 1;

-- query: last_to_count
-- The last act that reached the index, or may have, or that is to undo one which did.
SELECT kind, patient_key FROM submissions
WHERE study_uid = :study
  AND (state IN ('sent', 'stopping')
       OR (state IN ('waiting', 'no_record')
           AND (kind = 'withdraw' OR sent_at_ms IS NOT NULL)))
ORDER BY revision DESC LIMIT 1;

-- query: page
SELECT submission_id, study_uid, revision, kind, state, attempts, code, enqueued_at_ms,
       finished_at_ms
FROM submissions ORDER BY enqueued_at_ms DESC, submission_id LIMIT :count_max OFFSET :offset;

-- query: count_by_state
SELECT state, count(*) AS submissions FROM submissions GROUP BY state;
