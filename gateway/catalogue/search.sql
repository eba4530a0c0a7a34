-- What the catalogue answers to a search. The page is taken first; only what is on it is counted.
-- The conditions of a query go where `filter` stands; a study that is taken back is not found.

-- query: studies
-- The newest first.
WITH page AS (
    SELECT study_uid, studied_at, modalities, sop_classes, told
    FROM searched_studies AS study
    WHERE /* filter */
      AND study.study_uid NOT IN (SELECT study_uid FROM studies WHERE blocked = 1)
    ORDER BY studied_at DESC, study_uid LIMIT :count_max OFFSET :offset
), summary AS (
    SELECT study_uid, count(*) AS in_study_series, sum(instances) AS in_study, sum(stored) AS stored
    FROM searched_series WHERE study_uid IN (SELECT study_uid FROM page) GROUP BY study_uid
)
SELECT study_uid, modalities, sop_classes, told AS of_study, in_study_series, in_study,
       stored, in_study AS instances
FROM page JOIN summary USING (study_uid)
ORDER BY studied_at DESC, study_uid;

-- query: count_studies
-- Up to :count_max, for a search of everything would else read everything.
SELECT count(*) AS matches
FROM (SELECT 1 FROM searched_studies AS study
      WHERE /* filter */
        AND study.study_uid NOT IN (SELECT study_uid FROM studies WHERE blocked = 1)
      LIMIT :count_max) AS found;

-- query: series
WITH page AS (
    SELECT series.study_uid, series.series_uid, series.instances, series.stored,
           study.modalities, study.sop_classes, study.told AS of_study, series.told AS of_series
    FROM searched_series AS series JOIN searched_studies AS study
         ON study.study_uid = series.study_uid
    WHERE /* filter */
      AND series.study_uid NOT IN (SELECT study_uid FROM studies WHERE blocked = 1)
    ORDER BY series.study_uid, series.series_uid LIMIT :count_max OFFSET :offset
), summary AS (
    SELECT study_uid, count(*) AS in_study_series, sum(instances) AS in_study
    FROM searched_series WHERE study_uid IN (SELECT study_uid FROM page) GROUP BY study_uid
)
SELECT page.*, in_study_series, in_study
FROM page JOIN summary ON summary.study_uid = page.study_uid
ORDER BY page.study_uid, page.series_uid;

-- query: count_series
SELECT count(*) AS matches
FROM (SELECT 1 FROM searched_series AS series JOIN searched_studies AS study
                    ON study.study_uid = series.study_uid
      WHERE /* filter */
        AND series.study_uid NOT IN (SELECT study_uid FROM studies WHERE blocked = 1)
      LIMIT :count_max) AS found;

-- query: instances
WITH page AS (
    SELECT image.study_uid, image.series_uid, image.instance_uid, image.header, image.answer,
           image.transfer_syntax, 1 AS instances,
           CASE WHEN image.object_key IS NULL THEN 0 ELSE 1 END AS stored,
           series.instances AS in_series, series.told AS of_series, study.told AS of_study,
           study.modalities, study.sop_classes
    FROM instances AS image
         JOIN searched_series AS series
              ON series.study_uid = image.study_uid AND series.series_uid = image.series_uid
         JOIN searched_studies AS study ON study.study_uid = image.study_uid
    WHERE /* filter */
      AND image.gone = 0 AND image.rejected = ''
      AND image.study_uid NOT IN (SELECT study_uid FROM studies WHERE blocked = 1)
    ORDER BY image.study_uid, image.series_uid, image.instance_uid
    LIMIT :count_max OFFSET :offset
), summary AS (
    SELECT study_uid, count(*) AS in_study_series, sum(instances) AS in_study
    FROM searched_series WHERE study_uid IN (SELECT study_uid FROM page) GROUP BY study_uid
)
SELECT page.*, in_study_series, in_study
FROM page JOIN summary ON summary.study_uid = page.study_uid
ORDER BY page.study_uid, page.series_uid, page.instance_uid;

-- query: count_instances
SELECT count(*) AS matches
FROM (SELECT 1 FROM instances AS image
           JOIN searched_series AS series
                ON series.study_uid = image.study_uid AND series.series_uid = image.series_uid
           JOIN searched_studies AS study ON study.study_uid = image.study_uid
      WHERE /* filter */
        AND image.gone = 0 AND image.rejected = ''
        AND image.study_uid NOT IN (SELECT study_uid FROM studies WHERE blocked = 1)
      LIMIT :count_max) AS found;
