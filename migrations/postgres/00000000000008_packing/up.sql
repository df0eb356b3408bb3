-- A reservation writes fewer bytes. Its twin is in migrations/sqlite.

-- How the body of a kept answer is packed: 0 is as it is, 1 by LZ4 after the words of store/packing.
ALTER TABLE kept ADD COLUMN packing BIGINT NOT NULL DEFAULT 0 CHECK (packing IN (0, 1));
