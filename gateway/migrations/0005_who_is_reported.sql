-- Whom reports name, so that a word about a patient reaches a study of which no image is known yet;
-- and when the reports that a person matched to a study last came.

CREATE TABLE report_patients (
    local_id        TEXT NOT NULL,
    content_digest  TEXT NOT NULL REFERENCES reports (content_digest),
    PRIMARY KEY (local_id, content_digest)
) WITHOUT ROWID;

INSERT INTO report_patients (local_id, content_digest)
SELECT DISTINCT json_extract(named.value, '$.value'), content_digest
FROM reports, json_each(CAST(content AS TEXT), '$.patient.local_ids') AS named;

-- Number of the news of `study_uid` by which the last of them came; 0: none has since.
ALTER TABLE matches ADD COLUMN reported_by INTEGER NOT NULL DEFAULT 0;
