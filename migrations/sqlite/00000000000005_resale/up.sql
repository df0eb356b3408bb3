-- Customers sell parts of their contracts on, and hand contracts to others of their group. Its twin is in migrations/postgres.

-- What a contract offers to others, has sold on and has bought; NULL for most.
ALTER TABLE contracts ADD COLUMN resale TEXT;

-- To whom it went since, when it is no longer its customer's who ordered it.
ALTER TABLE contracts ADD COLUMN holder BLOB CHECK (length(holder) = 16);
CREATE INDEX contracts_holder ON contracts (holder, id) WHERE holder IS NOT NULL;

-- To whom of its group the customer offers it.
ALTER TABLE contracts ADD COLUMN transfer_to BLOB CHECK (length(transfer_to) = 16);

-- Who offers it, when it is no provider, and of which contract it is a part.
ALTER TABLE listings ADD COLUMN reseller BLOB CHECK (length(reseller) = 16);
ALTER TABLE listings ADD COLUMN resale TEXT;

-- What customers gain of whom it was bought.
ALTER TABLE invoice_lines ADD COLUMN gains TEXT NOT NULL DEFAULT '[]';

-- Which kinds of payables there are, the program knows and checks: a table need not be written anew for each
-- further one.
CREATE TABLE payouts_next (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org BLOB NOT NULL REFERENCES organizations,
    payable TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    reference TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in_transit', 'paid', 'failed')),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO payouts_next (id, org, payable, amount, reference, created_at, state, changed_at)
SELECT id, org, payable, amount, reference, created_at, state, changed_at FROM payouts;
DROP TABLE payouts;
ALTER TABLE payouts_next RENAME TO payouts;
CREATE INDEX payouts_in_transit ON payouts (id) WHERE state = 'in_transit';
