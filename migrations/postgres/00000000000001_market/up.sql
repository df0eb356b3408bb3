-- The market's memory. Its twin is in migrations/sqlite; a test compares tables and columns.
--
-- Identifiers are UUIDs, times are minutes (`*_at` of windows) or microseconds since 1970,
-- money is micro-units. Identifiers grow with time, so tables clustered by them are appended to.

CREATE TABLE meta (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    commit_no BIGINT NOT NULL CHECK (commit_no >= 0),
    seq BIGINT NOT NULL CHECK (seq >= 0),
    now_at BIGINT NOT NULL,
    hash BYTEA NOT NULL CHECK (length(hash) = 32),
    last_entry BIGINT NOT NULL CHECK (last_entry >= 0)
);

INSERT INTO meta VALUES (1, 0, 0, 0, decode(repeat('00', 32), 'hex'), 0);

CREATE TABLE commits (
    no BIGINT PRIMARY KEY CHECK (no > 0),
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL CHECK (length(hash) = 32)
);

CREATE TABLE audit (
    seq BIGINT PRIMARY KEY,
    commit_no BIGINT NOT NULL REFERENCES commits,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor UUID,
    request UUID NOT NULL,
    verb TEXT NOT NULL,
    what TEXT NOT NULL,
    changes TEXT,
    CHECK (CASE WHEN actor_kind IN ('user', 'key') THEN actor IS NOT NULL
        ELSE actor_kind IN ('system', 'anonymous') AND actor IS NULL END)
);

CREATE TABLE organizations (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    customer BOOLEAN NOT NULL,
    provider BOOLEAN NOT NULL,
    vendor BOOLEAN NOT NULL,
    guarantor BOOLEAN NOT NULL,
    operator BOOLEAN NOT NULL,
    segment TEXT,
    country TEXT NOT NULL CHECK (length(country) = 2),
    state TEXT NOT NULL CHECK (state IN ('pending_review', 'active', 'suspended')),
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE TABLE users (
    id UUID NOT NULL PRIMARY KEY,
    org UUID NOT NULL REFERENCES organizations,
    email TEXT NOT NULL,
    roles TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('invited', 'active', 'removed')),
    password_hash TEXT NOT NULL,
    invitation BYTEA CHECK (length(invitation) = 32),
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE UNIQUE INDEX users_email ON users (email) WHERE state <> 'removed';

CREATE TABLE sessions (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users,
    refresh_hash BYTEA NOT NULL CHECK (length(refresh_hash) = 32),
    previous_hash BYTEA CHECK (length(previous_hash) = 32),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    closed BOOLEAN NOT NULL
);

CREATE INDEX sessions_open ON sessions (id) WHERE NOT closed;

CREATE TABLE api_keys (
    id UUID NOT NULL PRIMARY KEY,
    org UUID NOT NULL REFERENCES organizations,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    hash BYTEA NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_by UUID NOT NULL REFERENCES users,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked BOOLEAN NOT NULL
);

CREATE TABLE skus (
    code TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    gpu_model TEXT NOT NULL,
    memory_gib BIGINT NOT NULL,
    gpus_per_node BIGINT NOT NULL CHECK (gpus_per_node > 0),
    gpus_per_domain BIGINT NOT NULL CHECK (gpus_per_domain > 0),
    interconnect TEXT NOT NULL,
    slot_minutes BIGINT NOT NULL CHECK (slot_minutes > 0),
    tick BIGINT NOT NULL CHECK (tick > 0),
    watts_per_gpu BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE regions (
    code TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL CHECK (length(country) = 2),
    created_at BIGINT NOT NULL
);

CREATE TABLE factories (
    id UUID NOT NULL PRIMARY KEY,
    provider UUID NOT NULL REFERENCES organizations,
    name TEXT NOT NULL,
    region TEXT COLLATE "C" NOT NULL REFERENCES regions,
    power_kw BIGINT NOT NULL CHECK (power_kw >= 0),
    state TEXT NOT NULL CHECK (state IN ('planned', 'building', 'energized', 'retired')),
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE TABLE pools (
    id UUID NOT NULL PRIMARY KEY,
    provider UUID NOT NULL REFERENCES organizations,
    factory UUID NOT NULL REFERENCES factories,
    region TEXT COLLATE "C" NOT NULL REFERENCES regions,
    sku TEXT COLLATE "C" NOT NULL REFERENCES skus,
    phases TEXT NOT NULL,
    maintenance TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

-- The newest version of each program; its terms are in program_versions.
CREATE TABLE programs (
    id UUID NOT NULL PRIMARY KEY,
    vendor UUID NOT NULL REFERENCES organizations,
    name TEXT NOT NULL,
    version BIGINT NOT NULL CHECK (version > 0),
    pools TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Terms never change; contracts refer to the version they were made under.
CREATE TABLE program_versions (
    program UUID NOT NULL REFERENCES programs,
    version BIGINT NOT NULL CHECK (version > 0),
    vendor UUID NOT NULL REFERENCES organizations,
    terms TEXT NOT NULL,
    PRIMARY KEY (program, version)
);

CREATE TABLE listings (
    id UUID NOT NULL PRIMARY KEY,
    provider UUID NOT NULL REFERENCES organizations,
    pool UUID NOT NULL REFERENCES pools,
    sku TEXT COLLATE "C" NOT NULL REFERENCES skus,
    region TEXT COLLATE "C" NOT NULL REFERENCES regions,
    program UUID REFERENCES programs,
    gpus BIGINT NOT NULL CHECK (gpus > 0),
    start_at BIGINT NOT NULL,
    end_at BIGINT NOT NULL,
    price BIGINT NOT NULL CHECK (price >= 0),
    limits TEXT NOT NULL,
    audience TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'live', 'sold_out', 'withdrawn', 'expired')),
    taken BIGINT NOT NULL CHECK (taken >= 0),
    published_seq BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    CHECK (start_at < end_at)
);

CREATE TABLE credit_applications (
    id UUID NOT NULL PRIMARY KEY,
    org UUID NOT NULL REFERENCES organizations,
    requested BIGINT NOT NULL CHECK (requested > 0),
    purpose TEXT NOT NULL,
    workload TEXT,
    state TEXT NOT NULL CHECK (state IN ('submitted', 'approved', 'declined', 'withdrawn')),
    approval TEXT,
    approved_by TEXT NOT NULL,
    approvals_needed BIGINT NOT NULL,
    declined_by UUID REFERENCES users,
    reason_codes TEXT NOT NULL,
    note TEXT NOT NULL,
    line UUID,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE TABLE credit_lines (
    id UUID NOT NULL PRIMARY KEY,
    org UUID NOT NULL REFERENCES organizations,
    application UUID NOT NULL REFERENCES credit_applications,
    state TEXT NOT NULL CHECK (state IN ('active', 'frozen', 'past_due', 'delinquent', 'defaulted',
        'run_off', 'closed')),
    target_limit BIGINT CHECK (target_limit >= 0),
    proposal TEXT,
    net_days BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    note TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE TABLE quotes (
    id UUID NOT NULL PRIMARY KEY,
    org UUID NOT NULL REFERENCES organizations,
    ask TEXT NOT NULL,
    block TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('indicative', 'open', 'taken', 'expired')),
    credit_after BIGINT,
    expires_at BIGINT,
    order_id UUID,
    created_at BIGINT NOT NULL
);

CREATE INDEX quotes_open ON quotes (id) WHERE state = 'open';

CREATE TABLE orders (
    id UUID NOT NULL PRIMARY KEY,
    org UUID NOT NULL REFERENCES organizations,
    client_order_id TEXT,
    ask TEXT NOT NULL,
    earliest BIGINT NOT NULL,
    latest BIGINT NOT NULL,
    time_in_force TEXT NOT NULL,
    quote UUID REFERENCES quotes,
    state TEXT NOT NULL CHECK (state IN ('open', 'filled', 'cancelled', 'expired', 'rejected')),
    reason TEXT,
    explanation TEXT,
    contract UUID,
    filled_gpus BIGINT NOT NULL CHECK (filled_gpus >= 0),
    value BIGINT CHECK (value >= 0),
    average BIGINT CHECK (average >= 0),
    hold BIGINT NOT NULL CHECK (hold >= 0),
    seq BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE INDEX orders_org ON orders (org, id);
CREATE INDEX orders_open ON orders (id) WHERE state = 'open';

CREATE TABLE contracts (
    id UUID NOT NULL PRIMARY KEY,
    order_id UUID NOT NULL REFERENCES orders,
    customer UUID NOT NULL,
    line UUID NOT NULL REFERENCES credit_lines,
    provider UUID NOT NULL,
    pool UUID NOT NULL REFERENCES pools,
    sku TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    gpus BIGINT NOT NULL CHECK (gpus > 0),
    start_at BIGINT NOT NULL,
    end_at BIGINT NOT NULL,
    earliest BIGINT NOT NULL,
    latest BIGINT NOT NULL,
    worth TEXT NOT NULL,
    value BIGINT NOT NULL CHECK (value >= 0),
    average BIGINT NOT NULL CHECK (average >= 0),
    platform_fee BIGINT NOT NULL CHECK (platform_fee BETWEEN 0 AND 10000),
    cancellation_fee BIGINT NOT NULL CHECK (cancellation_fee BETWEEN 0 AND 10000),
    net_days BIGINT NOT NULL,
    programs TEXT NOT NULL,
    commitments TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('scheduled', 'active', 'completed', 'cancelled',
        'terminated')),
    accrued BIGINT NOT NULL,
    accrued_to BIGINT NOT NULL,
    workload TEXT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    CHECK (start_at < end_at),
    CHECK (accrued BETWEEN 0 AND value)
);

CREATE INDEX contracts_customer ON contracts (customer, id);
CREATE INDEX contracts_provider ON contracts (provider, id);
CREATE INDEX contracts_live ON contracts (id) WHERE state IN ('scheduled', 'active');

CREATE TABLE allocations (
    contract UUID NOT NULL REFERENCES contracts,
    place BIGINT NOT NULL CHECK (place >= 0),
    listing UUID NOT NULL REFERENCES listings,
    program UUID,
    gpus BIGINT NOT NULL CHECK (gpus > 0),
    start_at BIGINT NOT NULL,
    end_at BIGINT NOT NULL,
    price BIGINT NOT NULL CHECK (price >= 0),
    PRIMARY KEY (contract, place),
    CHECK (start_at < end_at)
);

-- No account may cross zero on its normal side.
CREATE TABLE accounts (
    account TEXT COLLATE "C" NOT NULL,
    owner UUID NOT NULL,
    second UUID NOT NULL,
    debits BIGINT NOT NULL CHECK (debits >= 0),
    credits BIGINT NOT NULL CHECK (credits >= 0),
    PRIMARY KEY (account, owner, second),
    CHECK (CASE WHEN account IN ('cap_issued', 'exp_limit', 'gua_cap', 'gua_supported', 'gl_1150')
        THEN debits >= credits ELSE credits >= debits END)
);

CREATE TABLE entries (
    no BIGINT PRIMARY KEY CHECK (no > 0),
    chain BIGINT NOT NULL,
    debit_account TEXT NOT NULL,
    debit_owner UUID NOT NULL,
    debit_second UUID NOT NULL,
    credit_account TEXT NOT NULL,
    credit_owner UUID NOT NULL,
    credit_second UUID NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    kind TEXT NOT NULL,
    contract UUID,
    recorded_at BIGINT NOT NULL,
    effective_at BIGINT NOT NULL,
    CHECK (debit_account <> credit_account OR debit_owner <> credit_owner
        OR debit_second <> credit_second)
);

CREATE INDEX entries_contract ON entries (contract, no) WHERE contract IS NOT NULL;
CREATE INDEX entries_debit_owner ON entries (debit_owner, no);
-- In most books both accounts have one owner.
CREATE INDEX entries_credit_owner ON entries (credit_owner, no) WHERE credit_owner <> debit_owner;

CREATE TABLE event_heads (
    org UUID NOT NULL PRIMARY KEY REFERENCES organizations,
    last BIGINT NOT NULL CHECK (last > 0)
);

CREATE TABLE events (
    org UUID NOT NULL REFERENCES event_heads,
    no BIGINT NOT NULL CHECK (no > 0),
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    request UUID NOT NULL,
    data TEXT NOT NULL,
    previous TEXT,
    PRIMARY KEY (org, no)
);

CREATE TABLE kept (
    seq BIGINT PRIMARY KEY,
    name UUID NOT NULL UNIQUE,
    fingerprint UUID NOT NULL,
    expires_at BIGINT NOT NULL,
    status BIGINT NOT NULL CHECK (status BETWEEN 100 AND 999),
    headers TEXT NOT NULL,
    body BYTEA NOT NULL
);
