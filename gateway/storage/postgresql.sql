-- What the SQL that both engines share calls by SQLite's names; the engine runs it when it opens.

DO 'BEGIN
    IF to_regtype(''blob'') IS NULL THEN
        CREATE DOMAIN blob AS bytea;
    END IF;
END';

-- The items of a JSON list, as texts; `path` is `$`, or `$.name.name`.
CREATE OR REPLACE FUNCTION json_each(list text, path text DEFAULT '$')
RETURNS TABLE (value text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT item FROM json_array_elements_text(
    list::json #> string_to_array(substr(path, 3), ''.'')) AS item';

-- One member of a JSON object, as a text.
CREATE OR REPLACE FUNCTION json_extract(object text, path text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT object::json #>> string_to_array(substr(path, 3), ''.'')';
