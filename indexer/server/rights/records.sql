-- query: find_records
SELECT patient_key, state, since_ms, refuses_documents, opposed, excluded, masked_in_emergency,
       treating_doctor
FROM record WHERE patient_key IN (SELECT value FROM json_each(:patient_keys));

-- query: find_standings
-- How records stand to those who come to them, for a batch of both.
SELECT permission.patient_key, professional, declared_at_ms, granted_at_ms, granted_until_ms,
       blocked_at_ms
FROM json_each(:pairs) AS pair
JOIN permission ON permission.patient_key = json_extract(pair.value, '$.patient_key')
               AND permission.professional = json_extract(pair.value, '$.professional');

-- query: find_permissions
SELECT patient_key, professional, declared_at_ms, granted_at_ms, granted_until_ms, blocked_at_ms
FROM permission WHERE patient_key = :patient_key
ORDER BY professional;

-- query: put_record
INSERT INTO record (patient_key, state, since_ms, refuses_documents, opposed, excluded,
                    masked_in_emergency, treating_doctor)
VALUES (:patient_key, :state, :since_ms, :refuses_documents, :opposed, :excluded,
        :masked_in_emergency, :treating_doctor)
ON CONFLICT (patient_key) DO UPDATE SET
    state = excluded.state, since_ms = excluded.since_ms,
    refuses_documents = excluded.refuses_documents, opposed = excluded.opposed,
    excluded = excluded.excluded, masked_in_emergency = excluded.masked_in_emergency,
    treating_doctor = excluded.treating_doctor;

-- query: put_permission
INSERT INTO permission (patient_key, professional, declared_at_ms, granted_at_ms,
                        granted_until_ms, blocked_at_ms)
VALUES (:patient_key, :professional, :declared_at_ms, :granted_at_ms, :granted_until_ms,
        :blocked_at_ms)
ON CONFLICT (patient_key, professional) DO UPDATE SET
    declared_at_ms = excluded.declared_at_ms, granted_at_ms = excluded.granted_at_ms,
    granted_until_ms = excluded.granted_until_ms, blocked_at_ms = excluded.blocked_at_ms;

-- query: remove_permission
DELETE FROM permission WHERE patient_key = :patient_key AND professional = :professional;

-- query: add_alert
INSERT INTO alert (patient_key, professional, purpose, hour, first_at_ms, last_at_ms, times, who)
VALUES (:patient_key, :professional, :purpose, :hour, :now_ms, :now_ms, 1, :who)
ON CONFLICT (patient_key, professional, purpose, hour) DO UPDATE SET
    last_at_ms = excluded.last_at_ms, times = alert.times + 1, who = excluded.who;

-- query: find_alerts
SELECT professional, purpose, first_at_ms, last_at_ms, times, who FROM alert
WHERE patient_key = :patient_key
ORDER BY last_at_ms DESC, professional
LIMIT :limit;
