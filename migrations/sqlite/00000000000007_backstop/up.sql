-- Vendors buy what is unsold of supported capacity under their programs' backstops. Its twin is in migrations/postgres.

-- Every account that grows on the debit side is named here. SQLite changes a CHECK only with its table.
CREATE TABLE accounts_next (
    account TEXT NOT NULL,
    owner BLOB NOT NULL CHECK (length(owner) = 16),
    second BLOB NOT NULL CHECK (length(second) = 16),
    debits INTEGER NOT NULL CHECK (debits >= 0),
    credits INTEGER NOT NULL CHECK (credits >= 0),
    PRIMARY KEY (account, owner, second),
    CHECK (CASE WHEN account IN ('cap_issued', 'exp_limit', 'gua_cap', 'gua_supported', 'gl_1010',
        'gl_1100', 'gl_1150', 'gl_1160', 'gl_1165', 'gl_4900', 'gl_5300')
        THEN debits >= credits ELSE credits >= debits END)
) STRICT, WITHOUT ROWID;

INSERT INTO accounts_next SELECT account, owner, second, debits, credits FROM accounts;
DROP TABLE accounts;
ALTER TABLE accounts_next RENAME TO accounts;

-- Whose backstop is bought on a line; NULL for a customer's own.
ALTER TABLE credit_lines ADD COLUMN program BLOB REFERENCES programs;

-- The start of the next stretch that the backstop looks at.
ALTER TABLE listings ADD COLUMN backstop_at INTEGER;
