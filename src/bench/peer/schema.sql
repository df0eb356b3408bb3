-- The peer's tables: the rows that a reservation of ours writes, with narrow ids and no more indexes.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE customers (org BIGINT PRIMARY KEY, key_hash BYTEA NOT NULL);

CREATE TABLE lines (
    org BIGINT PRIMARY KEY REFERENCES customers,
    available BIGINT NOT NULL CHECK (available >= 0),
    held BIGINT NOT NULL CHECK (held >= 0)
) WITH (fillfactor = 50);

CREATE TABLE listings (
    id BIGINT PRIMARY KEY,
    price BIGINT NOT NULL,
    taken BIGINT NOT NULL,
    capacity BIGINT NOT NULL,
    CHECK (taken BETWEEN 0 AND capacity)
) WITH (fillfactor = 50);

CREATE TABLE orders (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org BIGINT NOT NULL,
    ask TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX orders_org ON orders (org, id);

CREATE TABLE contracts (
    id BIGINT PRIMARY KEY REFERENCES orders,
    customer BIGINT NOT NULL,
    provider BIGINT NOT NULL,
    listing BIGINT NOT NULL,
    gpus BIGINT NOT NULL CHECK (gpus > 0),
    start_at BIGINT NOT NULL,
    end_at BIGINT NOT NULL,
    value BIGINT NOT NULL,
    price BIGINT NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX contracts_customer ON contracts (customer, id);
CREATE INDEX contracts_provider ON contracts (provider, id);

CREATE TABLE allocations (
    contract BIGINT NOT NULL REFERENCES contracts,
    place BIGINT NOT NULL,
    listing BIGINT NOT NULL,
    gpus BIGINT NOT NULL,
    start_at BIGINT NOT NULL,
    end_at BIGINT NOT NULL,
    price BIGINT NOT NULL,
    PRIMARY KEY (contract, place)
);

CREATE TABLE bookings (
    contract BIGINT PRIMARY KEY REFERENCES contracts,
    listing BIGINT NOT NULL,
    unit BIGINT NOT NULL,
    during TSTZRANGE NOT NULL,
    gpus BIGINT NOT NULL,
    price BIGINT NOT NULL,
    EXCLUDE USING gist (listing WITH =, unit WITH =, during WITH &&)
);

CREATE TABLE hours (
    listing BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    free BIGINT NOT NULL CHECK (free >= 0),
    PRIMARY KEY (listing, hour)
) WITH (fillfactor = 50);

CREATE TABLE entries (
    no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain BIGINT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    owner BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    kind TEXT NOT NULL,
    contract BIGINT
);
CREATE INDEX entries_contract ON entries (contract, no);

CREATE TABLE events (
    no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org BIGINT NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
);

CREATE TABLE kept (name BYTEA PRIMARY KEY, status BIGINT NOT NULL, body TEXT NOT NULL);

-- The whole reservation on the server. NULL is a refusal.
CREATE FUNCTION reserve(
    who BIGINT, key BYTEA, offer BIGINT, gpus BIGINT, start_at BIGINT, end_at BIGINT, ask TEXT
) RETURNS TEXT LANGUAGE plpgsql AS $$
DECLARE
    answer TEXT;
    stock listings%ROWTYPE;
    credit lines%ROWTYPE;
    minutes BIGINT := (end_at - start_at) * gpus;
    worth BIGINT;
    made BIGINT;
BEGIN
    SELECT body INTO answer FROM kept WHERE name = key;
    IF FOUND THEN RETURN answer; END IF;
    SELECT * INTO stock FROM listings WHERE id = offer FOR UPDATE;
    SELECT * INTO credit FROM lines WHERE org = who FOR UPDATE;
    worth := stock.price * minutes / 60;
    IF stock.taken + minutes > stock.capacity OR worth > credit.available THEN RETURN NULL; END IF;
    INSERT INTO orders (org, ask, state, created_at)
        VALUES (who, ask, 'filled', extract(epoch FROM now())::bigint) RETURNING id INTO made;
    INSERT INTO contracts
        VALUES (made, who, 0, offer, gpus, start_at, end_at, worth, stock.price, 'scheduled');
    INSERT INTO allocations VALUES (made, 0, offer, gpus, start_at, end_at, stock.price);
    INSERT INTO entries (chain, debit, credit, owner, amount, kind, contract) VALUES
        (made, 'exp_available', 'exp_held', who, worth, 'hold_placed', made),
        (made, 'cap_listed', 'cap_reserved', offer, minutes, 'reserved', made);
    INSERT INTO events (org, kind, data) VALUES (who, 'order.filled', ask),
        (who, 'contract.created', ask), (0, 'contract.created', ask);
    UPDATE listings SET taken = taken + minutes WHERE id = offer;
    UPDATE lines SET available = available - worth, held = held + worth WHERE org = who;
    answer := format('{"id":%s,"state":"filled","value":%s}', made, worth);
    INSERT INTO kept VALUES (key, 201, answer);
    RETURN answer;
END $$;
