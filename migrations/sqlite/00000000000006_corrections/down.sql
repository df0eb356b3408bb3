DROP INDEX entries_corrections;
