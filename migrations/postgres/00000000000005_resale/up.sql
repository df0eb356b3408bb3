-- Customers sell parts of their contracts on, and hand contracts to others of their group. Its twin is in migrations/sqlite.

-- What a contract offers to others, has sold on and has bought; NULL for most.
ALTER TABLE contracts ADD COLUMN resale TEXT;

-- To whom it went since, when it is no longer its customer's who ordered it.
ALTER TABLE contracts ADD COLUMN holder UUID;
CREATE INDEX contracts_holder ON contracts (holder, id) WHERE holder IS NOT NULL;

-- To whom of its group the customer offers it.
ALTER TABLE contracts ADD COLUMN transfer_to UUID;

-- Who offers it, when it is no provider, and of which contract it is a part.
ALTER TABLE listings ADD COLUMN reseller UUID;
ALTER TABLE listings ADD COLUMN resale TEXT;

-- What customers gain of whom it was bought.
ALTER TABLE invoice_lines ADD COLUMN gains TEXT NOT NULL DEFAULT '[]';

-- Which kinds of payables there are, the program knows and checks.
ALTER TABLE payouts DROP CONSTRAINT IF EXISTS payouts_payable_check;
