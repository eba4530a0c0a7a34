-- When what a PACS holds of a study was last compared with what was published of it, whether there
-- was news or not; 0: never.

ALTER TABLE studies ADD COLUMN checked_at_ms BIGINT NOT NULL DEFAULT 0;

-- Of studies whose pointer follows what the PACS hold: it is out, or would be if they had images.
CREATE INDEX studies_by_check ON studies (checked_at_ms, study_uid)
WHERE state = 'published' OR code = 'images_gone';

-- One row, written to find out whether a row can be written.
CREATE TABLE readiness (
    number         INTEGER NOT NULL PRIMARY KEY CHECK (number = 1),
    written_at_ms  BIGINT  NOT NULL
);
