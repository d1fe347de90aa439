-- Why a request ended, if no build says so, for people.
ALTER TABLE request ADD COLUMN why TEXT;
