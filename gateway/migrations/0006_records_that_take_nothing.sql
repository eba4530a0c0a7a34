-- A submission into a record that takes nothing waits in a state of its own, `no_record`, and so
-- does its study: it is tried again at times of its own.
DROP INDEX submissions_due;
CREATE INDEX submissions_due ON submissions (due_at_ms)
WHERE state IN ('waiting', 'stopping', 'no_record');
