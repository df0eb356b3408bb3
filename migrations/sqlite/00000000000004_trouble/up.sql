-- Groups of organizations. Its twin is in migrations/postgres.

ALTER TABLE organizations ADD COLUMN group_code TEXT;
