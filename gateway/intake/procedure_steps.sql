-- query: forget_old
DELETE FROM procedure_steps WHERE step_uid IN (
    SELECT step_uid FROM procedure_steps WHERE changed_at_ms < :before_ms
    ORDER BY changed_at_ms LIMIT :count_max);

-- query: count
SELECT count(*) AS steps FROM procedure_steps;

-- query: create
INSERT INTO procedure_steps (step_uid, status, studies, told, changed_at_ms)
VALUES (:step, :status, :studies, :told, :now_ms)
ON CONFLICT (step_uid) DO NOTHING
RETURNING step_uid;

-- query: find
SELECT status, studies, told FROM procedure_steps WHERE step_uid = :step;

-- query: set
UPDATE procedure_steps SET status = :status, told = :told, changed_at_ms = :now_ms
WHERE step_uid = :step;
