-- Groups of organizations, caps, reviews of credit lines; incidents, whose contracts they hit, and where those are served meanwhile. Its
-- twin is in migrations/postgres.

ALTER TABLE organizations ADD COLUMN group_code TEXT;

ALTER TABLE contracts ADD COLUMN substitutes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE contracts ADD COLUMN degraded INTEGER NOT NULL DEFAULT 0 CHECK (degraded IN (0, 1));

-- A change may be of another kind, and may move a contract. SQLite adds to a check by a new table.
CREATE TABLE amendments_new (
    contract BLOB NOT NULL REFERENCES contracts,
    no INTEGER NOT NULL CHECK (no > 0),
    kind TEXT NOT NULL,
    effective_at INTEGER NOT NULL,
    size_before TEXT NOT NULL,
    size_after TEXT NOT NULL,
    moved TEXT,
    fee INTEGER NOT NULL CHECK (fee >= 0),
    held_before INTEGER NOT NULL CHECK (held_before >= 0),
    held_after INTEGER NOT NULL CHECK (held_after >= 0),
    made_at INTEGER NOT NULL,
    PRIMARY KEY (contract, no)
) STRICT, WITHOUT ROWID;
INSERT INTO amendments_new SELECT contract, no, kind, effective_at, size_before, size_after, NULL, fee,
    held_before, held_after, made_at FROM amendments;
DROP TABLE amendments;
ALTER TABLE amendments_new RENAME TO amendments;

CREATE TABLE incidents (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    provider BLOB NOT NULL REFERENCES organizations,
    pool BLOB NOT NULL REFERENCES pools,
    cause TEXT NOT NULL CHECK (cause IN ('maintenance', 'late_phase')),
    note TEXT NOT NULL,
    start_at INTEGER NOT NULL,
    end_at INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    affected TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    closed_at INTEGER,
    version INTEGER NOT NULL,
    CHECK (start_at < end_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX incidents_provider ON incidents (provider, id);
CREATE INDEX incidents_open ON incidents (id) WHERE state = 'open';

-- The customers of an incident's contracts: by it they find their incidents.
CREATE TABLE incident_customers (
    customer BLOB NOT NULL REFERENCES organizations,
    incident BLOB NOT NULL REFERENCES incidents,
    PRIMARY KEY (customer, incident)
) STRICT, WITHOUT ROWID;

-- What may be at stake with one group, provider or SKU. Lifted caps stay, without an amount.
CREATE TABLE caps (
    kind TEXT NOT NULL CHECK (kind IN ('group', 'provider', 'sku')),
    name TEXT NOT NULL,
    amount INTEGER CHECK (amount >= 0),
    note TEXT NOT NULL,
    set_by BLOB NOT NULL REFERENCES users,
    set_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Lines from before there were reviews are looked at half a year after they were opened.
ALTER TABLE credit_lines ADD COLUMN review_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credit_lines ADD COLUMN review TEXT;
UPDATE credit_lines SET review_at = created_at / 60000000 + 262800;
