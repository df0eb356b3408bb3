-- The market's memory. Its twin is in migrations/postgres; a test compares tables and columns.
--
-- Identifiers are UUIDs in 16 bytes, times are minutes (`*_at` of windows) or microseconds since 1970,
-- money is micro-units. Identifiers grow with time, so tables clustered by them are appended to.

CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    commit_no INTEGER NOT NULL CHECK (commit_no >= 0),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    now_at INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    last_entry INTEGER NOT NULL CHECK (last_entry >= 0)
) STRICT;

INSERT INTO meta VALUES (1, 0, 0, 0, zeroblob(32), 0);

CREATE TABLE commits (
    no INTEGER PRIMARY KEY CHECK (no > 0),
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    commit_no INTEGER NOT NULL REFERENCES commits,
    at INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor BLOB,
    request BLOB NOT NULL CHECK (length(request) = 16),
    verb TEXT NOT NULL,
    what TEXT NOT NULL,
    changes TEXT,
    CHECK (CASE WHEN actor_kind IN ('user', 'key') THEN length(actor) = 16
        ELSE actor_kind IN ('system', 'anonymous') AND actor IS NULL END)
) STRICT;

CREATE TABLE organizations (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    customer INTEGER NOT NULL CHECK (customer IN (0, 1)),
    provider INTEGER NOT NULL CHECK (provider IN (0, 1)),
    vendor INTEGER NOT NULL CHECK (vendor IN (0, 1)),
    guarantor INTEGER NOT NULL CHECK (guarantor IN (0, 1)),
    operator INTEGER NOT NULL CHECK (operator IN (0, 1)),
    segment TEXT,
    country TEXT NOT NULL CHECK (length(country) = 2),
    state TEXT NOT NULL CHECK (state IN ('pending_review', 'active', 'suspended')),
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org BLOB NOT NULL REFERENCES organizations,
    email TEXT NOT NULL,
    roles TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('invited', 'active', 'removed')),
    password_hash TEXT NOT NULL,
    invitation BLOB CHECK (length(invitation) = 32),
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX users_email ON users (email) WHERE state <> 'removed';

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users,
    refresh_hash BLOB NOT NULL CHECK (length(refresh_hash) = 32),
    previous_hash BLOB CHECK (length(previous_hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    closed INTEGER NOT NULL CHECK (closed IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_open ON sessions (id) WHERE NOT closed;

CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org BLOB NOT NULL REFERENCES organizations,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_by BLOB NOT NULL REFERENCES users,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked INTEGER NOT NULL CHECK (revoked IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE skus (
    code TEXT NOT NULL PRIMARY KEY,
    gpu_model TEXT NOT NULL,
    memory_gib INTEGER NOT NULL,
    gpus_per_node INTEGER NOT NULL CHECK (gpus_per_node > 0),
    gpus_per_domain INTEGER NOT NULL CHECK (gpus_per_domain > 0),
    interconnect TEXT NOT NULL,
    slot_minutes INTEGER NOT NULL CHECK (slot_minutes > 0),
    tick INTEGER NOT NULL CHECK (tick > 0),
    watts_per_gpu INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE regions (
    code TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT NOT NULL CHECK (length(country) = 2),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE factories (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    provider BLOB NOT NULL REFERENCES organizations,
    name TEXT NOT NULL,
    region TEXT NOT NULL REFERENCES regions,
    power_kw INTEGER NOT NULL CHECK (power_kw >= 0),
    state TEXT NOT NULL CHECK (state IN ('planned', 'building', 'energized', 'retired')),
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pools (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    provider BLOB NOT NULL REFERENCES organizations,
    factory BLOB NOT NULL REFERENCES factories,
    region TEXT NOT NULL REFERENCES regions,
    sku TEXT NOT NULL REFERENCES skus,
    phases TEXT NOT NULL,
    maintenance TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest version of each program; its terms are in program_versions.
CREATE TABLE programs (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    vendor BLOB NOT NULL REFERENCES organizations,
    name TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    pools TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Terms never change; contracts refer to the version they were made under.
CREATE TABLE program_versions (
    program BLOB NOT NULL REFERENCES programs,
    version INTEGER NOT NULL CHECK (version > 0),
    vendor BLOB NOT NULL REFERENCES organizations,
    terms TEXT NOT NULL,
    PRIMARY KEY (program, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE listings (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    provider BLOB NOT NULL REFERENCES organizations,
    pool BLOB NOT NULL REFERENCES pools,
    sku TEXT NOT NULL REFERENCES skus,
    region TEXT NOT NULL REFERENCES regions,
    program BLOB REFERENCES programs,
    gpus INTEGER NOT NULL CHECK (gpus > 0),
    start_at INTEGER NOT NULL,
    end_at INTEGER NOT NULL,
    price INTEGER NOT NULL CHECK (price >= 0),
    limits TEXT NOT NULL,
    audience TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'live', 'sold_out', 'withdrawn', 'expired')),
    taken INTEGER NOT NULL CHECK (taken >= 0),
    published_seq INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    CHECK (start_at < end_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE credit_applications (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org BLOB NOT NULL REFERENCES organizations,
    requested INTEGER NOT NULL CHECK (requested > 0),
    purpose TEXT NOT NULL,
    workload TEXT,
    state TEXT NOT NULL CHECK (state IN ('submitted', 'approved', 'declined', 'withdrawn')),
    approval TEXT,
    approved_by TEXT NOT NULL,
    approvals_needed INTEGER NOT NULL,
    declined_by BLOB REFERENCES users,
    reason_codes TEXT NOT NULL,
    note TEXT NOT NULL,
    line BLOB,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credit_lines (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org BLOB NOT NULL REFERENCES organizations,
    application BLOB NOT NULL REFERENCES credit_applications,
    state TEXT NOT NULL CHECK (state IN ('active', 'frozen', 'past_due', 'delinquent', 'defaulted',
        'run_off', 'closed')),
    target_limit INTEGER CHECK (target_limit >= 0),
    proposal TEXT,
    net_days INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quotes (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org BLOB NOT NULL REFERENCES organizations,
    ask TEXT NOT NULL,
    block TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('indicative', 'open', 'taken', 'expired')),
    credit_after INTEGER,
    expires_at INTEGER,
    order_id BLOB,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX quotes_open ON quotes (id) WHERE state = 'open';

CREATE TABLE orders (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org BLOB NOT NULL REFERENCES organizations,
    client_order_id TEXT,
    ask TEXT NOT NULL,
    earliest INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    time_in_force TEXT NOT NULL,
    quote BLOB REFERENCES quotes,
    state TEXT NOT NULL CHECK (state IN ('open', 'filled', 'cancelled', 'expired', 'rejected')),
    reason TEXT,
    explanation TEXT,
    contract BLOB,
    filled_gpus INTEGER NOT NULL CHECK (filled_gpus >= 0),
    value INTEGER CHECK (value >= 0),
    average INTEGER CHECK (average >= 0),
    hold INTEGER NOT NULL CHECK (hold >= 0),
    seq INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX orders_org ON orders (org, id);
CREATE INDEX orders_open ON orders (id) WHERE state = 'open';

CREATE TABLE contracts (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    order_id BLOB NOT NULL REFERENCES orders,
    customer BLOB NOT NULL,
    line BLOB NOT NULL REFERENCES credit_lines,
    provider BLOB NOT NULL,
    pool BLOB NOT NULL REFERENCES pools,
    sku TEXT NOT NULL,
    region TEXT NOT NULL,
    gpus INTEGER NOT NULL CHECK (gpus > 0),
    start_at INTEGER NOT NULL,
    end_at INTEGER NOT NULL,
    earliest INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    worth TEXT NOT NULL,
    value INTEGER NOT NULL CHECK (value >= 0),
    average INTEGER NOT NULL CHECK (average >= 0),
    platform_fee INTEGER NOT NULL CHECK (platform_fee BETWEEN 0 AND 10000),
    cancellation_fee INTEGER NOT NULL CHECK (cancellation_fee BETWEEN 0 AND 10000),
    net_days INTEGER NOT NULL,
    programs TEXT NOT NULL,
    commitments TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('scheduled', 'active', 'completed', 'cancelled',
        'terminated')),
    accrued INTEGER NOT NULL,
    accrued_to INTEGER NOT NULL,
    workload TEXT,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    CHECK (start_at < end_at),
    CHECK (accrued BETWEEN 0 AND value)
) STRICT, WITHOUT ROWID;

CREATE INDEX contracts_customer ON contracts (customer, id);
CREATE INDEX contracts_provider ON contracts (provider, id);
CREATE INDEX contracts_live ON contracts (id) WHERE state IN ('scheduled', 'active');

CREATE TABLE allocations (
    contract BLOB NOT NULL REFERENCES contracts,
    place INTEGER NOT NULL CHECK (place >= 0),
    listing BLOB NOT NULL REFERENCES listings,
    program BLOB,
    gpus INTEGER NOT NULL CHECK (gpus > 0),
    start_at INTEGER NOT NULL,
    end_at INTEGER NOT NULL,
    price INTEGER NOT NULL CHECK (price >= 0),
    PRIMARY KEY (contract, place),
    CHECK (start_at < end_at)
) STRICT, WITHOUT ROWID;

-- No account may cross zero on its normal side.
CREATE TABLE accounts (
    account TEXT NOT NULL,
    owner BLOB NOT NULL CHECK (length(owner) = 16),
    second BLOB NOT NULL CHECK (length(second) = 16),
    debits INTEGER NOT NULL CHECK (debits >= 0),
    credits INTEGER NOT NULL CHECK (credits >= 0),
    PRIMARY KEY (account, owner, second),
    CHECK (CASE WHEN account IN ('cap_issued', 'exp_limit', 'gua_cap', 'gua_supported', 'gl_1150')
        THEN debits >= credits ELSE credits >= debits END)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
    no INTEGER PRIMARY KEY CHECK (no > 0),
    chain INTEGER NOT NULL,
    debit_account TEXT NOT NULL,
    debit_owner BLOB NOT NULL,
    debit_second BLOB NOT NULL,
    credit_account TEXT NOT NULL,
    credit_owner BLOB NOT NULL,
    credit_second BLOB NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    kind TEXT NOT NULL,
    contract BLOB,
    recorded_at INTEGER NOT NULL,
    effective_at INTEGER NOT NULL,
    CHECK (debit_account <> credit_account OR debit_owner <> credit_owner
        OR debit_second <> credit_second)
) STRICT;

CREATE INDEX entries_contract ON entries (contract, no) WHERE contract IS NOT NULL;
CREATE INDEX entries_debit_owner ON entries (debit_owner, no);
-- In most books both accounts have one owner.
CREATE INDEX entries_credit_owner ON entries (credit_owner, no) WHERE credit_owner <> debit_owner;

CREATE TABLE event_heads (
    org BLOB NOT NULL PRIMARY KEY REFERENCES organizations,
    last INTEGER NOT NULL CHECK (last > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    org BLOB NOT NULL REFERENCES event_heads,
    no INTEGER NOT NULL CHECK (no > 0),
    id BLOB NOT NULL CHECK (length(id) = 16),
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    request BLOB NOT NULL CHECK (length(request) = 16),
    data TEXT NOT NULL,
    previous TEXT,
    PRIMARY KEY (org, no)
) STRICT, WITHOUT ROWID;

CREATE TABLE kept (
    seq INTEGER PRIMARY KEY,
    name BLOB NOT NULL UNIQUE CHECK (length(name) = 16),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16),
    expires_at INTEGER NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 100 AND 999),
    headers TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
