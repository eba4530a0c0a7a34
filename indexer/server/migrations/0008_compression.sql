-- [postgresql]
-- A manifest takes as little room by lz4 as by pglz, and a sixth of the time. An entry's resource
-- takes more: by pglz it stays in its row; by lz4 it would lie apart, four pages to read, not one.
CREATE FUNCTION compress_parts(told text, content text, method text) RETURNS void
LANGUAGE plpgsql AS
'DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT relid FROM pg_partition_tree(told::regclass) LOOP
        EXECUTE format(''ALTER TABLE %s ALTER %I SET COMPRESSION %s'', part, content, method);
    END LOOP;
END';

SELECT compress_parts('entry', 'resource', 'pglz');
-- A server may have been built without it.
SELECT compress_parts('document', 'content', 'lz4') FROM pg_settings
WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals);

DROP FUNCTION compress_parts;
