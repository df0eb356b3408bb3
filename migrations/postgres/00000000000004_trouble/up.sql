-- Groups of organizations. Its twin is in migrations/sqlite.

ALTER TABLE organizations ADD COLUMN group_code TEXT;
