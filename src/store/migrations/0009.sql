-- How the instance of a latent slave is stopped, in place of the type of its slave, so that it can be stopped whatever the
-- configuration says by then. Of what ran when this came, the words of a stop command are not known.
ALTER TABLE slave ADD COLUMN instance_stop TEXT;
UPDATE slave SET instance_stop = json_patch(
    '{"limit":{"secs":60,"nanos":0}}',
    CASE instance_kind
        WHEN 'docker' THEN '{"type":"docker","program":"docker"}'
        WHEN 'process' THEN '{"type":"process"}'
        ELSE '{"type":"command","words":[]}'
    END
) WHERE instance_kind IS NOT NULL;
ALTER TABLE slave DROP COLUMN instance_kind;
