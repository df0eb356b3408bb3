-- A reservation writes less. Its twin is in migrations/sqlite.
--
-- A kept answer is found by its command's number, which the engine remembers beside the key: an
-- index over names that are digests, and so fall anywhere, was the dearest of all.
ALTER TABLE kept DROP CONSTRAINT kept_name_key;
-- Answers stay beside their keys, as they are: compressing those just above 2 kB cost more.
ALTER TABLE kept SET (toast_tuple_target = 8160);
