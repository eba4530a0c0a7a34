-- What the SQL that both engines share calls by SQLite's names; the engine runs it when it opens.

DO 'BEGIN
    IF to_regtype(''blob'') IS NULL THEN
        CREATE DOMAIN blob AS bytea;
    END IF;
END';

-- A JSON text that may write U+0000, which no text of PostgreSQL holds: nothing else of it could be
-- read then. It is given out as U+FFFD. An even number of backslashes before is no escape.
CREATE OR REPLACE FUNCTION json_readable(object text)
RETURNS json LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT CASE WHEN strpos(object, ''\u0000'') = 0 THEN object
        ELSE regexp_replace(object, ''(?<!\\)((?:\\\\)*)\\u0000'', ''\1\\ufffd'', ''g'')
        END::json';

-- The steps of `$.name[0].name`.
CREATE OR REPLACE FUNCTION json_steps(path text)
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT string_to_array(replace(replace(substr(path, 3), ''['', ''.''), '']'', ''''), ''.'')';

-- The items of a JSON list, as texts; `path` is `$`, or where in an object the list is.
CREATE OR REPLACE FUNCTION json_each(list text, path text DEFAULT '$')
RETURNS TABLE (value text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT item FROM json_array_elements_text(json_readable(list) #> json_steps(path)) AS item';

-- What is at a path of a JSON object, always as a text.
CREATE OR REPLACE FUNCTION json_extract(object text, path text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT json_readable(object) #>> json_steps(path)';
