-- query: act
INSERT INTO acts (study_uid, news, content) VALUES (:study, :news, :content);

-- query: acts
SELECT news, content FROM acts WHERE study_uid = :study ORDER BY news;

-- query: block
UPDATE studies SET blocked = :blocked WHERE study_uid = :study;

-- query: match
INSERT INTO matches (study_uid, reported_as) VALUES (:study, :reported_as)
ON CONFLICT (study_uid, reported_as) DO NOTHING;
