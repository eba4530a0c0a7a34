-- What the holder of a record chose, and whom it lets in. A record without a row is as the index
-- was told at its start: open, or absent.

CREATE TABLE record (
    patient_key TEXT NOT NULL,
    state TEXT NOT NULL,                    -- open, closed
    since_ms BIGINT NOT NULL,               -- when the holder last changed it
    refuses_documents INTEGER NOT NULL,     -- 0, 1, as below
    opposed INTEGER NOT NULL,
    excluded TEXT NOT NULL,                 -- JSON: list of purposes
    masked_in_emergency INTEGER NOT NULL,
    treating_doctor TEXT NOT NULL,          -- national number, or empty
    PRIMARY KEY (patient_key)
)
-- [postgresql]
PARTITION BY HASH (patient_key)
-- [shared]
;

CREATE TABLE permission (
    patient_key TEXT NOT NULL,
    professional TEXT NOT NULL,             -- national number
    declared_at_ms BIGINT,                  -- by themselves (TD0.3)
    granted_at_ms BIGINT,                   -- by the holder
    granted_until_ms BIGINT,                -- NULL: until it is taken back
    blocked_at_ms BIGINT,                   -- by the holder
    PRIMARY KEY (patient_key, professional)
)
-- [postgresql]
PARTITION BY HASH (patient_key)
-- [shared]
;

-- Who opened a record in an emergency, for the holder to see: one row an hour, however often.
CREATE TABLE alert (
    patient_key TEXT NOT NULL,
    professional TEXT NOT NULL,
    purpose TEXT NOT NULL,
    hour BIGINT NOT NULL,                   -- hours since 1970
    first_at_ms BIGINT NOT NULL,
    last_at_ms BIGINT NOT NULL,
    times INTEGER NOT NULL,
    who TEXT NOT NULL,                      -- JSON: name, structure and reason, as last said
    PRIMARY KEY (patient_key, professional, purpose, hour)
)
-- [postgresql]
PARTITION BY HASH (patient_key)
-- [shared]
;

-- [postgresql]
SELECT make_parts('record');
SELECT make_parts('permission');
SELECT make_parts('alert');
