-- What corrects bills that were made: statements list it in the month in which it was recorded. Few entries
-- are of these kinds, so the index costs the others nothing.
CREATE INDEX entries_corrections ON entries (recorded_at)
    WHERE kind IN ('invoice_credited', 'written_off', 'recovered');
