-- A reservation writes less. Its twin is in migrations/sqlite.
--
-- A kept answer is found by its command's number, which the engine remembers beside the key: an
-- index over names that are digests, and so fall anywhere, was the dearest of all.
ALTER TABLE kept DROP CONSTRAINT kept_name_key;
-- Answers stay beside their keys, as they are: compressing those just above 2 kB cost more.
ALTER TABLE kept SET (toast_tuple_target = 8160);

-- Entries are asked for by contract and by credit line only. Both sides of an entry in a line's
-- book are of that line.
DROP INDEX entries_debit_owner;
DROP INDEX entries_credit_owner;
CREATE INDEX entries_line ON entries (debit_owner, no)
    WHERE debit_account IN ('exp_available', 'exp_defaulted', 'exp_drawn', 'exp_held', 'exp_limit');

-- A filled order is found by its contract, which wears the order's id and has the same customer.
DROP INDEX orders_org;
CREATE INDEX orders_unfilled ON orders (org, id) WHERE state <> 'filled';

-- What a reservation refers to is asked for once a statement, for all its new rows together. Row by
-- row it took more than a third of a commit: a query and a lock for each, ten times a reservation.
-- Rows that are referred to are never deleted and these references never change, so asking at birth
-- is enough; the lock only guarded against others who write, and there are none. SQLite, where
-- foreign keys cost next to nothing, keeps them. `headroom verify` asks for all rows in both.
ALTER TABLE audit DROP CONSTRAINT audit_commit_no_fkey;
ALTER TABLE orders DROP CONSTRAINT orders_org_fkey;
ALTER TABLE contracts DROP CONSTRAINT contracts_order_id_fkey;
ALTER TABLE contracts DROP CONSTRAINT contracts_line_fkey;
ALTER TABLE contracts DROP CONSTRAINT contracts_pool_fkey;
ALTER TABLE allocations DROP CONSTRAINT allocations_contract_fkey;
ALTER TABLE allocations DROP CONSTRAINT allocations_listing_fkey;
ALTER TABLE events DROP CONSTRAINT events_org_fkey;

CREATE FUNCTION audit_refer() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM born WHERE NOT EXISTS (
        SELECT FROM commits AS parent WHERE parent.no = born.commit_no))
    THEN
        RAISE foreign_key_violation USING MESSAGE = 'audit.commit_no is not in commits';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_refer AFTER INSERT ON audit REFERENCING NEW TABLE AS born
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refer();

CREATE FUNCTION orders_refer() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM born WHERE NOT EXISTS (
        SELECT FROM organizations AS parent WHERE parent.id = born.org))
    THEN
        RAISE foreign_key_violation USING MESSAGE = 'orders.org is not in organizations';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER orders_refer AFTER INSERT ON orders REFERENCING NEW TABLE AS born
    FOR EACH STATEMENT EXECUTE FUNCTION orders_refer();

CREATE FUNCTION contracts_refer() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM born WHERE NOT EXISTS (
        SELECT FROM orders AS parent WHERE parent.id = born.order_id))
    THEN
        RAISE foreign_key_violation USING MESSAGE = 'contracts.order_id is not in orders';
    END IF;
    IF EXISTS (SELECT FROM born WHERE NOT EXISTS (
        SELECT FROM credit_lines AS parent WHERE parent.id = born.line))
    THEN
        RAISE foreign_key_violation USING MESSAGE = 'contracts.line is not in credit_lines';
    END IF;
    IF EXISTS (SELECT FROM born WHERE NOT EXISTS (
        SELECT FROM pools AS parent WHERE parent.id = born.pool))
    THEN
        RAISE foreign_key_violation USING MESSAGE = 'contracts.pool is not in pools';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER contracts_refer AFTER INSERT ON contracts REFERENCING NEW TABLE AS born
    FOR EACH STATEMENT EXECUTE FUNCTION contracts_refer();

CREATE FUNCTION allocations_refer() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM born WHERE NOT EXISTS (
        SELECT FROM contracts AS parent WHERE parent.id = born.contract))
    THEN
        RAISE foreign_key_violation USING MESSAGE = 'allocations.contract is not in contracts';
    END IF;
    IF EXISTS (SELECT FROM born WHERE NOT EXISTS (
        SELECT FROM listings AS parent WHERE parent.id = born.listing))
    THEN
        RAISE foreign_key_violation USING MESSAGE = 'allocations.listing is not in listings';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER allocations_refer AFTER INSERT ON allocations REFERENCING NEW TABLE AS born
    FOR EACH STATEMENT EXECUTE FUNCTION allocations_refer();

CREATE FUNCTION events_refer() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM born WHERE NOT EXISTS (
        SELECT FROM event_heads AS parent WHERE parent.org = born.org))
    THEN
        RAISE foreign_key_violation USING MESSAGE = 'events.org is not in event_heads';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER events_refer AFTER INSERT ON events REFERENCING NEW TABLE AS born
    FOR EACH STATEMENT EXECUTE FUNCTION events_refer();
