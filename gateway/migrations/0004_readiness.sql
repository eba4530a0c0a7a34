-- One row, written to find out whether a row can be written.

CREATE TABLE readiness (
    number         INTEGER NOT NULL PRIMARY KEY CHECK (number = 1),
    written_at_ms  BIGINT  NOT NULL
);
