-- Migrations only go forward: what the market has promised is not dropped.
SELECT 1;
