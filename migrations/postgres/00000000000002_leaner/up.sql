-- A reservation writes less. Its twin is in migrations/sqlite.
--
-- A kept answer is found by its command's number, which the engine remembers beside the key: an
-- index over names that are digests, and so fall anywhere, was the dearest of all.
ALTER TABLE kept DROP CONSTRAINT kept_name_key;
-- Answers stay beside their keys, as they are: compressing those just above 2 kB cost more.
ALTER TABLE kept SET (toast_tuple_target = 8160);

-- Entries are asked for by contract and by credit line only. Both sides of an entry in a line's
-- book are of that line.
DROP INDEX entries_debit_owner;
DROP INDEX entries_credit_owner;
CREATE INDEX entries_line ON entries (debit_owner, no)
    WHERE debit_account IN ('exp_available', 'exp_defaulted', 'exp_drawn', 'exp_held', 'exp_limit');

-- A filled order is found by its contract, which wears the order's id and has the same customer.
DROP INDEX orders_org;
CREATE INDEX orders_unfilled ON orders (org, id) WHERE state <> 'filled';
