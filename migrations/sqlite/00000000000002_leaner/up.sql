-- A reservation writes less. Its twin is in migrations/postgres.
--
-- A kept answer is found by its command's number, which the engine remembers beside the key: an
-- index over names that are digests, and so fall anywhere, was the dearest of all.
ALTER TABLE kept RENAME TO kept_before;
CREATE TABLE kept (
    seq INTEGER PRIMARY KEY,
    name BLOB NOT NULL CHECK (length(name) = 16),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16),
    expires_at INTEGER NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 100 AND 999),
    headers TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
INSERT INTO kept SELECT * FROM kept_before;
DROP TABLE kept_before;

-- Entries are asked for by contract and by credit line only. Both sides of an entry in a line's
-- book are of that line.
DROP INDEX entries_debit_owner;
DROP INDEX entries_credit_owner;
CREATE INDEX entries_line ON entries (debit_owner, no)
    WHERE debit_account IN ('exp_available', 'exp_defaulted', 'exp_drawn', 'exp_held', 'exp_limit');

-- A filled order is found by its contract, which wears the order's id and has the same customer.
DROP INDEX orders_org;
CREATE INDEX orders_unfilled ON orders (org, id) WHERE state <> 'filled';
