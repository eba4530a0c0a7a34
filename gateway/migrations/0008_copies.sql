-- What is kept of what a PACS holds: it may be dropped, and be had again.

-- What the header of a copy tells that was pulled; NULL where the object was pushed, or is none.
ALTER TABLE instances ADD COLUMN copied BLOB;
-- Number of the news by which the object was pushed; of a study's first instances 1.
ALTER TABLE instances ADD COLUMN stored_by INTEGER NOT NULL DEFAULT 0;
-- 1: the object was pulled from a PACS, or a PACS was asked since it was pushed, and told of it.
ALTER TABLE instances ADD COLUMN is_copy INTEGER NOT NULL DEFAULT 0;

CREATE INDEX instances_copies ON instances (study_uid, pacs, size_bytes) WHERE is_copy = 1;

ALTER TABLE studies ADD COLUMN read_at_ms BIGINT NOT NULL DEFAULT 0;  -- when a viewer last had it

-- Anew, for PostgreSQL took the columns that there were.
DROP VIEW shown_instances;
CREATE VIEW shown_instances AS
SELECT * FROM instances
WHERE gone = 0 AND rejected = ''
  AND study_uid NOT IN (SELECT study_uid FROM studies WHERE blocked = 1);
