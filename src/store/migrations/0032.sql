-- How urgent a request is, as its set says, so that the open requests of a builder are found in
-- build order (BRQ-09) from any place on.
ALTER TABLE request ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
UPDATE request SET priority = s.priority FROM build_set s
    WHERE s.id = request.build_set AND s.priority <> 0;
DROP INDEX request_open;
CREATE INDEX request_open ON request (builder, priority DESC, id) WHERE finished_at IS NULL;
