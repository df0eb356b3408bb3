-- Vendors buy what is unsold of supported capacity under their programs' backstops. Its twin is in migrations/sqlite.

-- Every account that grows on the debit side is named here.
ALTER TABLE accounts DROP CONSTRAINT accounts_check;
ALTER TABLE accounts ADD CONSTRAINT accounts_check
    CHECK (CASE WHEN account IN ('cap_issued', 'exp_limit', 'gua_cap', 'gua_supported', 'gl_1010',
        'gl_1100', 'gl_1150', 'gl_1160', 'gl_1165', 'gl_4900', 'gl_5300')
        THEN debits >= credits ELSE credits >= debits END);

-- Whose backstop is bought on a line; NULL for a customer's own.
ALTER TABLE credit_lines ADD COLUMN program UUID REFERENCES programs;

-- The start of the next stretch that the backstop looks at.
ALTER TABLE listings ADD COLUMN backstop_at BIGINT;
