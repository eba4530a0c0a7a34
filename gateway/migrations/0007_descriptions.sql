-- What was read once of each stored object, so that its metadata, frames and bulk values are served
-- without reading it again. An object never changes, and so neither does what is said of it.

CREATE TABLE descriptions (
    object_key  TEXT NOT NULL PRIMARY KEY,
    metadata    BLOB,                                  -- DICOM JSON, deflated (RFC 1950)
    layout      BLOB,                                  -- where frames and bulk values lie
    starts      BLOB,                                  -- of encapsulated frames, 8 bytes each
    failure     TEXT NOT NULL DEFAULT ''               -- why there is none of these
);

-- The object that was described; another has taken its place where it differs. A later form of the
-- descriptions empties it, and all are made anew.
ALTER TABLE instances ADD COLUMN described TEXT NOT NULL DEFAULT '';
CREATE INDEX instances_to_describe ON instances (object_key)
WHERE object_key IS NOT NULL AND described <> object_key;

-- Counts what the PACS told, which is no news to whoever looks at studies.
ALTER TABLE studies ADD COLUMN answers INTEGER NOT NULL DEFAULT 0;
