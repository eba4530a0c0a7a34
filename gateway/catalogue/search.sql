-- What the catalogue answers to a search. The page is taken first, from the index that the filter
-- leads to; only what is on it is described. The conditions of a query go where `filter` stands.

-- query: study_is
study_uid IN (SELECT value FROM json_each(:studies))

-- query: series_is
series_uid IN (SELECT value FROM json_each(:series))

-- query: instance_is
instance_uid IN (SELECT value FROM json_each(:instances))

-- query: patient_is
patient_id = :patient_id

-- query: accession_is
-- The second condition lets the partial index be used.
accession = :accession AND accession <> ''

-- query: studies
-- One row per series of the studies on the page: whatever differs within a study does so by series.
WITH page AS (
    SELECT DISTINCT study_uid FROM shown_instances WHERE /* filter */
    ORDER BY study_uid LIMIT :count_max OFFSET :offset
), summary AS (
    SELECT study_uid, series_uid, min(instance_uid) AS instance_uid, count(*) AS in_series
    FROM page JOIN shown_instances USING (study_uid)
    GROUP BY study_uid, series_uid
)
SELECT study_uid, in_series, header, answer
FROM summary JOIN instances USING (study_uid, instance_uid)
ORDER BY study_uid, summary.series_uid;

-- query: series
WITH page AS (
    SELECT DISTINCT study_uid, series_uid FROM shown_instances WHERE /* filter */
    ORDER BY study_uid, series_uid LIMIT :count_max OFFSET :offset
), summary AS (
    SELECT study_uid, min(instance_uid) AS instance_uid, count(*) AS in_series
    FROM page JOIN shown_instances USING (study_uid, series_uid)
    GROUP BY study_uid, series_uid
)
SELECT study_uid, in_series, header, answer
FROM summary JOIN instances USING (study_uid, instance_uid)
ORDER BY study_uid, instances.series_uid;

-- query: instances
SELECT study_uid, 1 AS in_series, header, answer
FROM shown_instances WHERE /* filter */
ORDER BY study_uid, series_uid, instance_uid LIMIT :count_max OFFSET :offset;

-- query: count_studies
-- Up to :count_max, for a search of everything would else read everything.
SELECT count(*) AS matches
FROM (SELECT DISTINCT study_uid FROM shown_instances WHERE /* filter */
      LIMIT :count_max) AS found;

-- query: count_series
SELECT count(*) AS matches
FROM (SELECT DISTINCT study_uid, series_uid FROM shown_instances WHERE /* filter */
      LIMIT :count_max) AS found;

-- query: count_instances
SELECT count(*) AS matches
FROM (SELECT 1 FROM shown_instances WHERE /* filter */ LIMIT :count_max) AS found;
