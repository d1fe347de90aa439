-- What a letter about a set will say of each of its builds, until the set ends (MAL-13).
CREATE TABLE letter_part (
    id        INTEGER PRIMARY KEY,
    build_set INTEGER NOT NULL REFERENCES build_set (id) ON DELETE CASCADE,
    target    TEXT NOT NULL,
    facts     TEXT NOT NULL
) STRICT;
CREATE INDEX letter_part_of_set ON letter_part (build_set, target, id);
