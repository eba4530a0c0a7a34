-- What searches find: a row for each study and each series of which something is held and not
-- rejected, made of its instances and kept with them. `told` is what an answer tells of it: JSON
-- members, one a line. Texts are as they are compared: names folded, dates and times as digits.

-- What an instance is searched by beside its unique ids.
ALTER TABLE instances ADD COLUMN sop_class TEXT NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN instance_number BIGINT;

-- [sqlite]
UPDATE instances SET
    sop_class = coalesce(
        json_extract(CAST(coalesce(header, answer) AS TEXT), '$.sop_class'), ''),
    instance_number = CASE
        WHEN ltrim(json_extract(CAST(coalesce(answer, header) AS TEXT), '$.instance_number'), '+-')
             NOT GLOB '*[^0-9]*'
         AND length(json_extract(CAST(coalesce(answer, header) AS TEXT), '$.instance_number'))
             BETWEEN 1 AND 12
        THEN CAST(json_extract(CAST(coalesce(answer, header) AS TEXT), '$.instance_number')
                  AS INTEGER) END
WHERE coalesce(header, answer) IS NOT NULL;
-- [postgresql]
UPDATE instances SET
    sop_class = coalesce(
        json_extract(convert_from(coalesce(header, answer), 'UTF8'), '$.sop_class'), ''),
    instance_number = CASE
        WHEN json_extract(convert_from(coalesce(answer, header), 'UTF8'), '$.instance_number')
             ~ '^[+-]?[0-9]{1,12}$'
        THEN json_extract(convert_from(coalesce(answer, header), 'UTF8'), '$.instance_number')
             ::bigint END
WHERE coalesce(header, answer) IS NOT NULL;
-- [shared]

CREATE TABLE searched_studies (
    study_uid           TEXT    NOT NULL PRIMARY KEY,
    studied_at          TEXT    NOT NULL,              -- digits of date and time
    studied_time        TEXT    NOT NULL,
    patient_id          TEXT    NOT NULL,
    patient_id_issuer   TEXT    NOT NULL,
    patient_name        TEXT    NOT NULL,              -- its alphabetic group
    patient_groups      TEXT    NOT NULL,              -- the ideographic, `=`, the phonetic
    patient_birth_date  TEXT    NOT NULL,
    patient_sex         TEXT    NOT NULL,
    accession           TEXT    NOT NULL,
    study_id            TEXT    NOT NULL,
    description         TEXT    NOT NULL,
    physician_name      TEXT    NOT NULL,              -- who referred the patient
    physician_groups    TEXT    NOT NULL,
    modalities          TEXT    NOT NULL,              -- of its series: \CT\SR\
    sop_classes         TEXT    NOT NULL,              -- of its instances, in the same way
    told                BLOB    NOT NULL
) WITHOUT ROWID;

CREATE TABLE searched_series (
    study_uid       TEXT    NOT NULL,
    series_uid      TEXT    NOT NULL,
    first_instance  TEXT    NOT NULL,                  -- whose description is the series'
    instances       INTEGER NOT NULL,
    stored          INTEGER NOT NULL,                  -- of them, those whose bytes lie here
    modality        TEXT    NOT NULL,
    series_number   BIGINT,
    description     TEXT    NOT NULL,
    performed_at    TEXT    NOT NULL,
    performed_time  TEXT    NOT NULL,
    body_part       TEXT    NOT NULL,
    institution     TEXT    NOT NULL,
    station         TEXT    NOT NULL,
    sop_classes     TEXT    NOT NULL,
    told            BLOB    NOT NULL,
    PRIMARY KEY (study_uid, series_uid)
) WITHOUT ROWID;

-- The words of names: `role` is whose, of the patient or of who referred them.
CREATE TABLE searched_names (
    study_uid  TEXT NOT NULL,
    role       TEXT NOT NULL,
    word       TEXT NOT NULL,
    PRIMARY KEY (study_uid, role, word)
) WITHOUT ROWID;

CREATE TABLE searched_patient_ids (
    study_uid   TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    patient_id  TEXT    NOT NULL,
    issuer      TEXT    NOT NULL,
    PRIMARY KEY (study_uid, number)
) WITHOUT ROWID;

CREATE TABLE searched_requests (
    study_uid     TEXT    NOT NULL,
    series_uid    TEXT    NOT NULL,
    number        INTEGER NOT NULL,
    step_id       TEXT    NOT NULL,
    procedure_id  TEXT    NOT NULL,
    PRIMARY KEY (study_uid, series_uid, number)
) WITHOUT ROWID;

-- Studies whose rows are still to be made; the program does so at its start.
CREATE TABLE unsearched_studies (
    study_uid  TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;

INSERT INTO unsearched_studies (study_uid) SELECT DISTINCT study_uid FROM instances;

-- [postgresql]
-- Compared by their bytes, as the other engine does, so that an index finds what begins alike.
ALTER TABLE searched_studies
    ALTER COLUMN study_uid TYPE TEXT COLLATE "C",
    ALTER COLUMN studied_at TYPE TEXT COLLATE "C",
    ALTER COLUMN studied_time TYPE TEXT COLLATE "C",
    ALTER COLUMN patient_id TYPE TEXT COLLATE "C",
    ALTER COLUMN patient_id_issuer TYPE TEXT COLLATE "C",
    ALTER COLUMN patient_name TYPE TEXT COLLATE "C",
    ALTER COLUMN patient_groups TYPE TEXT COLLATE "C",
    ALTER COLUMN patient_birth_date TYPE TEXT COLLATE "C",
    ALTER COLUMN patient_sex TYPE TEXT COLLATE "C",
    ALTER COLUMN accession TYPE TEXT COLLATE "C",
    ALTER COLUMN study_id TYPE TEXT COLLATE "C",
    ALTER COLUMN description TYPE TEXT COLLATE "C",
    ALTER COLUMN physician_name TYPE TEXT COLLATE "C",
    ALTER COLUMN physician_groups TYPE TEXT COLLATE "C";
ALTER TABLE searched_series
    ALTER COLUMN study_uid TYPE TEXT COLLATE "C",
    ALTER COLUMN series_uid TYPE TEXT COLLATE "C",
    ALTER COLUMN first_instance TYPE TEXT COLLATE "C",
    ALTER COLUMN modality TYPE TEXT COLLATE "C",
    ALTER COLUMN description TYPE TEXT COLLATE "C",
    ALTER COLUMN performed_at TYPE TEXT COLLATE "C",
    ALTER COLUMN performed_time TYPE TEXT COLLATE "C",
    ALTER COLUMN body_part TYPE TEXT COLLATE "C",
    ALTER COLUMN institution TYPE TEXT COLLATE "C",
    ALTER COLUMN station TYPE TEXT COLLATE "C";
ALTER TABLE searched_names
    ALTER COLUMN word TYPE TEXT COLLATE "C";
ALTER TABLE searched_patient_ids
    ALTER COLUMN patient_id TYPE TEXT COLLATE "C",
    ALTER COLUMN issuer TYPE TEXT COLLATE "C";
ALTER TABLE searched_requests
    ALTER COLUMN step_id TYPE TEXT COLLATE "C",
    ALTER COLUMN procedure_id TYPE TEXT COLLATE "C";
-- [shared]

-- The order of the answers: the newest first.
CREATE INDEX searched_studies_by_time ON searched_studies (studied_at DESC, study_uid);
CREATE INDEX searched_studies_by_patient ON searched_studies (patient_id);
CREATE INDEX searched_studies_by_name ON searched_studies (patient_name);
CREATE INDEX searched_studies_by_birth ON searched_studies (patient_birth_date);
CREATE INDEX searched_studies_by_accession ON searched_studies (accession);
CREATE INDEX searched_studies_by_id ON searched_studies (study_id);
CREATE INDEX searched_studies_by_physician ON searched_studies (physician_name);
CREATE INDEX searched_series_by_uid ON searched_series (series_uid);
CREATE INDEX searched_series_by_modality ON searched_series (modality);
CREATE INDEX searched_series_by_time ON searched_series (performed_at);
CREATE INDEX searched_names_by_word ON searched_names (word, role);
CREATE INDEX searched_patient_ids_by_id ON searched_patient_ids (patient_id);
CREATE INDEX searched_requests_by_step ON searched_requests (step_id);
CREATE INDEX searched_requests_by_procedure ON searched_requests (procedure_id);
