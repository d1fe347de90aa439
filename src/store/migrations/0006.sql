-- The instance of a latent slave, from before it is started until it was stopped: the type of the slave, absent while there
-- is none, and what its start said of it.
ALTER TABLE slave ADD COLUMN instance_kind TEXT;
ALTER TABLE slave ADD COLUMN instance TEXT NOT NULL DEFAULT '';
