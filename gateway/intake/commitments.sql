-- query: known
SELECT commitment_id, content FROM commitments
WHERE ae_title = :ae_title AND transaction_uid = :transaction;

-- query: waiting_instances
SELECT coalesce(sum(instances), 0) AS instances FROM commitments;

-- query: ask
INSERT INTO commitments (commitment_id, ae_title, transaction_uid, content, instances, due_at_ms,
                         asked_at_ms)
VALUES (:commitment_id, :ae_title, :transaction, :content, :instances, :due_at_ms, :now_ms);

-- query: claim_due
-- A claim is a lease: a commitment whose teller died falls due again at :lease_end_ms.
UPDATE commitments SET attempts = attempts + 1, due_at_ms = :lease_end_ms
WHERE commitment_id IN (SELECT commitment_id FROM commitments WHERE due_at_ms <= :now_ms
                        ORDER BY due_at_ms, commitment_id LIMIT :count_max)
RETURNING commitment_id, ae_title, content, attempts, asked_at_ms;

-- query: next_due
SELECT min(due_at_ms) AS due_at_ms FROM commitments;

-- query: postpone
UPDATE commitments SET due_at_ms = :due_at_ms WHERE commitment_id = :commitment_id;

-- query: forget
DELETE FROM commitments WHERE commitment_id = :commitment_id;
