-- One row: the name that the data folder of this database bears too, where it lies elsewhere.

CREATE TABLE pairing (
    number     INTEGER NOT NULL PRIMARY KEY CHECK (number = 1),
    folder_id  TEXT    NOT NULL
);
