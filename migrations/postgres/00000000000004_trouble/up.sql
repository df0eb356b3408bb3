-- Groups of organizations, caps, reviews of credit lines; incidents, whose contracts they hit, and where those are served meanwhile. Its
-- twin is in migrations/sqlite.

ALTER TABLE organizations ADD COLUMN group_code TEXT;

ALTER TABLE contracts ADD COLUMN substitutes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE contracts ADD COLUMN degraded BOOLEAN NOT NULL DEFAULT FALSE;

-- A change may be of another kind, and may move a contract.
ALTER TABLE amendments DROP CONSTRAINT amendments_kind_check;
ALTER TABLE amendments ADD COLUMN moved TEXT;

CREATE TABLE incidents (
    id UUID NOT NULL PRIMARY KEY,
    provider UUID NOT NULL REFERENCES organizations,
    pool UUID NOT NULL REFERENCES pools,
    cause TEXT NOT NULL CHECK (cause IN ('maintenance', 'late_phase')),
    note TEXT NOT NULL,
    start_at BIGINT NOT NULL,
    end_at BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    affected TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    closed_at BIGINT,
    version BIGINT NOT NULL,
    CHECK (start_at < end_at)
);

CREATE INDEX incidents_provider ON incidents (provider, id);
CREATE INDEX incidents_open ON incidents (id) WHERE state = 'open';

-- The customers of an incident's contracts: by it they find their incidents.
CREATE TABLE incident_customers (
    customer UUID NOT NULL REFERENCES organizations,
    incident UUID NOT NULL REFERENCES incidents,
    PRIMARY KEY (customer, incident)
);

-- What may be at stake with one group, provider or SKU. Lifted caps stay, without an amount.
CREATE TABLE caps (
    kind TEXT NOT NULL CHECK (kind IN ('group', 'provider', 'sku')),
    name TEXT COLLATE "C" NOT NULL,
    amount BIGINT CHECK (amount >= 0),
    note TEXT NOT NULL,
    set_by UUID NOT NULL REFERENCES users,
    set_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Lines from before there were reviews are looked at half a year after they were opened.
ALTER TABLE credit_lines ADD COLUMN review_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE credit_lines ADD COLUMN review TEXT;
UPDATE credit_lines SET review_at = created_at / 60000000 + 262800;
