-- query: count_in
-- One more of a series whose description stays: the usual case while a study comes.
UPDATE searched_series SET instances = instances + 1, stored = stored + 1
WHERE study_uid = :study AND series_uid = :series AND first_instance < :instance
  AND sop_classes LIKE '%\' || :sop_class || '\%' ESCAPE '!'
RETURNING instances;

-- query: count_stored
-- One whose bytes came, or came again; it is told of as before.
UPDATE searched_series SET stored = stored + :more_stored
WHERE study_uid = :study AND series_uid = :series AND first_instance < :instance
RETURNING instances;

-- query: count_objects
UPDATE searched_series SET stored = stored + :more_stored * (
    SELECT count(*) FROM instances
    WHERE instances.study_uid = :study AND instances.series_uid = searched_series.series_uid
      AND instance_uid IN (SELECT value FROM json_each(:instances))
      AND gone = 0 AND rejected = '')
WHERE study_uid = :study
  AND series_uid IN (SELECT series_uid FROM instances
                     WHERE study_uid = :study
                       AND instance_uid IN (SELECT value FROM json_each(:instances)));

-- query: series
SELECT first_instance, instances, stored, sop_classes FROM searched_series
WHERE study_uid = :study AND series_uid = :series;

-- query: classify
UPDATE searched_series SET instances = :instances, stored = :stored, sop_classes = :sop_classes
WHERE study_uid = :study AND series_uid = :series;

-- query: put_series
INSERT INTO searched_series (
    study_uid, series_uid, first_instance, instances, stored, modality, series_number, description,
    performed_at, performed_time, body_part, institution, station, sop_classes, told)
VALUES (
    :study_uid, :series_uid, :first_instance, :instances, :stored, :modality, :series_number,
    :description, :performed_at, :performed_time, :body_part, :institution, :station,
    :sop_classes, :told)
ON CONFLICT (study_uid, series_uid) DO UPDATE SET
    first_instance = excluded.first_instance, instances = excluded.instances,
    stored = excluded.stored, modality = excluded.modality,
    series_number = excluded.series_number, description = excluded.description,
    performed_at = excluded.performed_at, performed_time = excluded.performed_time,
    body_part = excluded.body_part, institution = excluded.institution,
    station = excluded.station, sop_classes = excluded.sop_classes, told = excluded.told;

-- query: forget_requests
DELETE FROM searched_requests WHERE study_uid = :study AND series_uid = :series;

-- query: contents
SELECT series_uid, first_instance, modality, sop_classes FROM searched_series
WHERE study_uid = :study ORDER BY series_uid;

-- query: study
SELECT modalities, sop_classes FROM searched_studies WHERE study_uid = :study;

-- query: list_contents
UPDATE searched_studies SET modalities = :modalities, sop_classes = :sop_classes
WHERE study_uid = :study;

-- query: put_study
INSERT INTO searched_studies (
    study_uid, studied_at, studied_time, patient_id, patient_id_issuer,
    patient_name, patient_groups, patient_birth_date, patient_sex, accession, study_id,
    description, physician_name, physician_groups, modalities, sop_classes, told)
VALUES (
    :study_uid, :studied_at, :studied_time, :patient_id, :patient_id_issuer,
    :patient_name, :patient_groups, :patient_birth_date, :patient_sex, :accession, :study_id,
    :description, :physician_name, :physician_groups, :modalities, :sop_classes, :told)
ON CONFLICT (study_uid) DO UPDATE SET
    studied_at = excluded.studied_at,
    studied_time = excluded.studied_time, patient_id = excluded.patient_id,
    patient_id_issuer = excluded.patient_id_issuer, patient_name = excluded.patient_name,
    patient_groups = excluded.patient_groups,
    patient_birth_date = excluded.patient_birth_date, patient_sex = excluded.patient_sex,
    accession = excluded.accession, study_id = excluded.study_id,
    description = excluded.description, physician_name = excluded.physician_name,
    physician_groups = excluded.physician_groups, modalities = excluded.modalities,
    sop_classes = excluded.sop_classes, told = excluded.told;

-- query: forget_names
DELETE FROM searched_names WHERE study_uid = :study;

-- query: forget_patient_ids
DELETE FROM searched_patient_ids WHERE study_uid = :study;

-- query: forget_all_requests
DELETE FROM searched_requests WHERE study_uid = :study;

-- query: forget_series
DELETE FROM searched_series WHERE study_uid = :study;

-- query: forget_study
DELETE FROM searched_studies WHERE study_uid = :study;

-- query: kept
-- Each series of what is held and not rejected, told of by the first of its instances.
WITH kept AS (
    SELECT series_uid, min(instance_uid) AS instance_uid, count(*) AS instances,
           count(object_key) AS stored
    FROM instances WHERE study_uid = :study AND gone = 0 AND rejected = ''
    GROUP BY series_uid
)
SELECT kept.series_uid, kept.instances, kept.stored, header, answer
FROM kept JOIN instances ON instances.study_uid = :study
                        AND instances.instance_uid = kept.instance_uid
ORDER BY kept.series_uid;

-- query: classes
SELECT DISTINCT series_uid, sop_class FROM instances
WHERE study_uid = :study AND gone = 0 AND rejected = ''
ORDER BY series_uid, sop_class;

-- query: unsearched
SELECT study_uid FROM unsearched_studies ORDER BY study_uid LIMIT :count_max;

-- query: forget_unsearched
DELETE FROM unsearched_studies WHERE study_uid = :study;
