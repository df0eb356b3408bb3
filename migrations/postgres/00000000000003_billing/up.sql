-- What contracts deliver is billed: invoices, payments, payouts, months, changes to contracts, and the
-- debts of lines in default. Its twin is in migrations/sqlite.

-- Every account that grows on the debit side is named here.
ALTER TABLE accounts DROP CONSTRAINT accounts_check;
ALTER TABLE accounts ADD CONSTRAINT accounts_check
    CHECK (CASE WHEN account IN ('cap_issued', 'exp_limit', 'gua_cap', 'gua_supported', 'gl_1010',
        'gl_1100', 'gl_1150', 'gl_1160', 'gl_4900', 'gl_5300')
        THEN debits >= credits ELSE credits >= debits END);

-- What was charged and not yet invoiced (`unbilled`) is NULL in rows from before there were invoices:
-- everything that was accrued.
ALTER TABLE contracts ADD COLUMN sizes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE contracts ADD COLUMN losses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE contracts ADD COLUMN sla TEXT NOT NULL DEFAULT '[]';
ALTER TABLE contracts ADD COLUMN delivered BIGINT NOT NULL DEFAULT 0 CHECK (delivered >= 0);
ALTER TABLE contracts ADD COLUMN lost BIGINT NOT NULL DEFAULT 0 CHECK (lost >= 0);
ALTER TABLE contracts ADD COLUMN unbilled TEXT;
ALTER TABLE contracts ADD COLUMN billed_to BIGINT NOT NULL DEFAULT 0;
ALTER TABLE contracts ADD COLUMN ended_at BIGINT;
ALTER TABLE contracts ADD COLUMN amendments BIGINT NOT NULL DEFAULT 0 CHECK (amendments >= 0);
ALTER TABLE contracts ADD COLUMN settled BOOLEAN NOT NULL DEFAULT FALSE;

UPDATE contracts SET billed_to = start_at;

-- Contracts that were over had delivered everything, and wait for their invoice.
UPDATE contracts SET ended_at = end_at, delivered = (
    SELECT coalesce(sum(gpus * (end_at - start_at)), 0)::BIGINT FROM allocations
    WHERE allocations.contract = contracts.id
) WHERE state = 'completed';

-- There was no way to end one before its time; should there be any, nothing is owed for it.
UPDATE contracts SET ended_at = accrued_to, settled = TRUE WHERE state IN ('cancelled', 'terminated');

DROP INDEX contracts_live;
CREATE INDEX contracts_unsettled ON contracts (id) WHERE NOT settled;

ALTER TABLE credit_lines ADD COLUMN past_due_since BIGINT;

CREATE TABLE invoices (
    id UUID NOT NULL PRIMARY KEY,
    org UUID NOT NULL REFERENCES organizations,
    line UUID NOT NULL REFERENCES credit_lines,
    month BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'open', 'overdue', 'paid', 'written_off', 'void')),
    total BIGINT NOT NULL,
    paid BIGINT NOT NULL CHECK (paid >= 0),
    credited BIGINT NOT NULL CHECK (credited >= 0),
    claimed BIGINT NOT NULL CHECK (claimed >= 0),
    recovered BIGINT NOT NULL CHECK (recovered BETWEEN 0 AND claimed),
    written_off BIGINT NOT NULL CHECK (written_off >= 0),
    net_days BIGINT NOT NULL,
    drafted_at BIGINT NOT NULL,
    opened_at BIGINT,
    due_at BIGINT,
    changed_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE INDEX invoices_org ON invoices (org, id);
CREATE INDEX invoices_unsettled ON invoices (id) WHERE state IN ('draft', 'open', 'overdue');

-- Lines never change; a draft only gets more of them. `month` is the invoice's: statements read by it.
CREATE TABLE invoice_lines (
    invoice UUID NOT NULL REFERENCES invoices,
    place BIGINT NOT NULL CHECK (place >= 0),
    month BIGINT NOT NULL,
    contract UUID NOT NULL REFERENCES contracts,
    provider UUID NOT NULL,
    sku TEXT COLLATE "C" NOT NULL,
    start_at BIGINT NOT NULL,
    end_at BIGINT NOT NULL,
    charge BIGINT NOT NULL,
    fees BIGINT NOT NULL,
    credits BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    provider_part BIGINT NOT NULL,
    platform_part BIGINT NOT NULL,
    programs TEXT NOT NULL,
    PRIMARY KEY (invoice, place),
    CHECK (start_at < end_at)
);

CREATE INDEX invoice_lines_month ON invoice_lines (month, provider);

CREATE TABLE payments (
    id UUID NOT NULL PRIMARY KEY,
    org UUID NOT NULL REFERENCES organizations,
    amount BIGINT NOT NULL CHECK (amount > 0),
    reference TEXT NOT NULL,
    splits TEXT NOT NULL,
    reserves TEXT NOT NULL,
    frees_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    freed BOOLEAN NOT NULL
);

CREATE INDEX payments_org ON payments (org, id);
CREATE INDEX payments_held ON payments (id) WHERE NOT freed;

CREATE TABLE payouts (
    id UUID NOT NULL PRIMARY KEY,
    org UUID NOT NULL REFERENCES organizations,
    payable TEXT NOT NULL CHECK (payable IN ('provider', 'vendor', 'guarantor')),
    amount BIGINT NOT NULL CHECK (amount > 0),
    reference TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in_transit', 'paid', 'failed')),
    changed_at BIGINT NOT NULL
);

CREATE INDEX payouts_in_transit ON payouts (id) WHERE state = 'in_transit';

-- A month that nobody has closed is open and has no row.
CREATE TABLE periods (
    month BIGINT PRIMARY KEY,
    closed_by UUID NOT NULL REFERENCES users,
    closed_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('closed', 'locked')),
    locked_by UUID REFERENCES users,
    locked_at BIGINT
);

-- What was done to contracts. Only grows.
CREATE TABLE amendments (
    contract UUID NOT NULL REFERENCES contracts,
    no BIGINT NOT NULL CHECK (no > 0),
    kind TEXT NOT NULL CHECK (kind IN ('cancel', 'shrink', 'extend', 'grow')),
    effective_at BIGINT NOT NULL,
    size_before TEXT NOT NULL,
    size_after TEXT NOT NULL,
    fee BIGINT NOT NULL CHECK (fee >= 0),
    held_before BIGINT NOT NULL CHECK (held_before >= 0),
    held_after BIGINT NOT NULL CHECK (held_after >= 0),
    made_at BIGINT NOT NULL,
    PRIMARY KEY (contract, no)
);

-- The debts of lines in default.
CREATE TABLE collections (
    line UUID NOT NULL PRIMARY KEY REFERENCES credit_lines,
    org UUID NOT NULL REFERENCES organizations,
    reason TEXT NOT NULL CHECK (reason IN ('unpaid', 'insolvency', 'fraud')),
    decided_by TEXT NOT NULL,
    defaulted BIGINT NOT NULL CHECK (defaulted >= 0),
    defaulted_at BIGINT NOT NULL,
    claims TEXT NOT NULL,
    written_off BIGINT NOT NULL CHECK (written_off >= 0),
    borne TEXT NOT NULL,
    recovered BIGINT NOT NULL CHECK (recovered >= 0),
    changed_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);
