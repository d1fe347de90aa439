-- The slave of the build that has answered (FLK-05).
ALTER TABLE answer ADD COLUMN slave TEXT;
