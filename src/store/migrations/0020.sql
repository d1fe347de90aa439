-- The links of a step, as JSON: pairs of a name and an address, in the order in which they were added.
ALTER TABLE step ADD COLUMN links TEXT NOT NULL DEFAULT '[]';
