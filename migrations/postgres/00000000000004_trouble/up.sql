-- Groups of organizations; incidents, whose contracts they hit, and where those are served meanwhile. Its
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
