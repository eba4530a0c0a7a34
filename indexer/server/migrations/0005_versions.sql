-- How often an entry was changed, and when last: meta of its resource, ETag, _lastUpdated.

ALTER TABLE entry ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE entry ADD COLUMN updated_at_ms BIGINT NOT NULL DEFAULT 0;

-- Of what is held already nobody knows when it was changed; that it came is told by its set.
UPDATE entry SET updated_at_ms = coalesce(
    (SELECT submission_set.submitted_at_ms FROM submission_set
     WHERE submission_set.patient_key = entry.patient_key
       AND submission_set.set_id = entry.set_id),
    created_at_ms);
