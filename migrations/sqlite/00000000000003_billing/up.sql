-- What contracts deliver is billed: invoices, payments, payouts, months, changes to contracts, and the
-- debts of lines in default. Its twin is in migrations/postgres.

-- Every account that grows on the debit side is named here. SQLite changes a CHECK only with its table.
CREATE TABLE accounts_next (
    account TEXT NOT NULL,
    owner BLOB NOT NULL CHECK (length(owner) = 16),
    second BLOB NOT NULL CHECK (length(second) = 16),
    debits INTEGER NOT NULL CHECK (debits >= 0),
    credits INTEGER NOT NULL CHECK (credits >= 0),
    PRIMARY KEY (account, owner, second),
    CHECK (CASE WHEN account IN ('cap_issued', 'exp_limit', 'gua_cap', 'gua_supported', 'gl_1010',
        'gl_1100', 'gl_1150', 'gl_1160', 'gl_4900', 'gl_5300')
        THEN debits >= credits ELSE credits >= debits END)
) STRICT, WITHOUT ROWID;

INSERT INTO accounts_next SELECT account, owner, second, debits, credits FROM accounts;
DROP TABLE accounts;
ALTER TABLE accounts_next RENAME TO accounts;

-- What was charged and not yet invoiced (`unbilled`) is NULL in rows from before there were invoices:
-- everything that was accrued.
ALTER TABLE contracts ADD COLUMN sizes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE contracts ADD COLUMN losses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE contracts ADD COLUMN sla TEXT NOT NULL DEFAULT '[]';
ALTER TABLE contracts ADD COLUMN delivered INTEGER NOT NULL DEFAULT 0 CHECK (delivered >= 0);
ALTER TABLE contracts ADD COLUMN lost INTEGER NOT NULL DEFAULT 0 CHECK (lost >= 0);
ALTER TABLE contracts ADD COLUMN unbilled TEXT;
ALTER TABLE contracts ADD COLUMN billed_to INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contracts ADD COLUMN ended_at INTEGER;
ALTER TABLE contracts ADD COLUMN amendments INTEGER NOT NULL DEFAULT 0 CHECK (amendments >= 0);
ALTER TABLE contracts ADD COLUMN settled INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1));

UPDATE contracts SET billed_to = start_at;

-- Contracts that were over had delivered everything, and wait for their invoice.
UPDATE contracts SET ended_at = end_at, delivered = (
    SELECT coalesce(sum(gpus * (end_at - start_at)), 0) FROM allocations
    WHERE allocations.contract = contracts.id
) WHERE state = 'completed';

-- There was no way to end one before its time; should there be any, nothing is owed for it.
UPDATE contracts SET ended_at = accrued_to, settled = 1 WHERE state IN ('cancelled', 'terminated');

DROP INDEX contracts_live;
CREATE INDEX contracts_unsettled ON contracts (id) WHERE NOT settled;

ALTER TABLE credit_lines ADD COLUMN past_due_since INTEGER;

CREATE TABLE invoices (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org BLOB NOT NULL REFERENCES organizations,
    line BLOB NOT NULL REFERENCES credit_lines,
    month INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'open', 'overdue', 'paid', 'written_off', 'void')),
    total INTEGER NOT NULL,
    paid INTEGER NOT NULL CHECK (paid >= 0),
    credited INTEGER NOT NULL CHECK (credited >= 0),
    claimed INTEGER NOT NULL CHECK (claimed >= 0),
    recovered INTEGER NOT NULL CHECK (recovered BETWEEN 0 AND claimed),
    written_off INTEGER NOT NULL CHECK (written_off >= 0),
    net_days INTEGER NOT NULL,
    drafted_at INTEGER NOT NULL,
    opened_at INTEGER,
    due_at INTEGER,
    changed_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX invoices_org ON invoices (org, id);
CREATE INDEX invoices_unsettled ON invoices (id) WHERE state IN ('draft', 'open', 'overdue');

-- Lines never change; a draft only gets more of them. `month` is the invoice's: statements read by it.
CREATE TABLE invoice_lines (
    invoice BLOB NOT NULL REFERENCES invoices,
    place INTEGER NOT NULL CHECK (place >= 0),
    month INTEGER NOT NULL,
    contract BLOB NOT NULL REFERENCES contracts,
    provider BLOB NOT NULL,
    sku TEXT NOT NULL,
    start_at INTEGER NOT NULL,
    end_at INTEGER NOT NULL,
    charge INTEGER NOT NULL,
    fees INTEGER NOT NULL,
    credits INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    provider_part INTEGER NOT NULL,
    platform_part INTEGER NOT NULL,
    programs TEXT NOT NULL,
    PRIMARY KEY (invoice, place),
    CHECK (start_at < end_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX invoice_lines_month ON invoice_lines (month, provider);

CREATE TABLE payments (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org BLOB NOT NULL REFERENCES organizations,
    amount INTEGER NOT NULL CHECK (amount > 0),
    reference TEXT NOT NULL,
    splits TEXT NOT NULL,
    reserves TEXT NOT NULL,
    frees_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    freed INTEGER NOT NULL CHECK (freed IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX payments_org ON payments (org, id);
CREATE INDEX payments_held ON payments (id) WHERE NOT freed;

CREATE TABLE payouts (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org BLOB NOT NULL REFERENCES organizations,
    payable TEXT NOT NULL CHECK (payable IN ('provider', 'vendor', 'guarantor')),
    amount INTEGER NOT NULL CHECK (amount > 0),
    reference TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in_transit', 'paid', 'failed')),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX payouts_in_transit ON payouts (id) WHERE state = 'in_transit';

-- A month that nobody has closed is open and has no row.
CREATE TABLE periods (
    month INTEGER PRIMARY KEY,
    closed_by BLOB NOT NULL REFERENCES users,
    closed_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('closed', 'locked')),
    locked_by BLOB REFERENCES users,
    locked_at INTEGER
) STRICT;

-- What was done to contracts. Only grows.
CREATE TABLE amendments (
    contract BLOB NOT NULL REFERENCES contracts,
    no INTEGER NOT NULL CHECK (no > 0),
    kind TEXT NOT NULL CHECK (kind IN ('cancel', 'shrink', 'extend', 'grow')),
    effective_at INTEGER NOT NULL,
    size_before TEXT NOT NULL,
    size_after TEXT NOT NULL,
    fee INTEGER NOT NULL CHECK (fee >= 0),
    held_before INTEGER NOT NULL CHECK (held_before >= 0),
    held_after INTEGER NOT NULL CHECK (held_after >= 0),
    made_at INTEGER NOT NULL,
    PRIMARY KEY (contract, no)
) STRICT, WITHOUT ROWID;

-- The debts of lines in default.
CREATE TABLE collections (
    line BLOB NOT NULL PRIMARY KEY REFERENCES credit_lines,
    org BLOB NOT NULL REFERENCES organizations,
    reason TEXT NOT NULL CHECK (reason IN ('unpaid', 'insolvency', 'fraud')),
    decided_by TEXT NOT NULL,
    defaulted INTEGER NOT NULL CHECK (defaulted >= 0),
    defaulted_at INTEGER NOT NULL,
    claims TEXT NOT NULL,
    written_off INTEGER NOT NULL CHECK (written_off >= 0),
    borne TEXT NOT NULL,
    recovered INTEGER NOT NULL CHECK (recovered >= 0),
    changed_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
