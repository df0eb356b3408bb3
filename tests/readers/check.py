"""What the tools do not look at: whether the files agree with each other.

    check.py months SUMMARY     twelve months of the demo's summary are closed
    check.py books FOLDER       hledger's balances are those of the entries
    check.py focus FOLDER       the rows of each invoice add up to it
    check.py tables FOLDER      Parquet and CSV hold the same
    check.py rename FOLDER      writes the FOCUS file under the validator's own names
"""

import csv
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def months(summary):
    closed = [line.split() for line in Path(summary).read_text().splitlines()]
    closed = [words for words in closed if words[-1:] == ["closed"]]
    assert len(closed) >= 12, f"{len(closed)} months are closed"
    for words in closed:
        assert words[-2] == "0.00", f"something of {words[0]} is outstanding"


def books(folder):
    """The journal's accounts end in the owner; the table's are `1100/org_...`."""
    said = subprocess.run(
        ["hledger", "-f", f"{folder}/journal.hledger", "balance", "--flat", "--empty", "-O", "csv"],
        check=True, capture_output=True, text=True,
    ).stdout
    found = {}
    for line in csv.DictReader(said.splitlines()):
        account, balance = line["account"], line["balance"]
        if account.lower() not in ("total", "total:"):
            code, owner = account.split(":")[1][:4], account.rsplit("Org-", 1)[1].lower()
            found[f"{code}/org_{owner}"] = Decimal(balance.split()[0].replace(",", ""))
    due = Counter()
    for entry in rows(f"{folder}/entries.csv"):
        if entry["ledger"] == "gl":
            due[entry["debit"]] += Decimal(entry["amount"])
            due[entry["credit"]] -= Decimal(entry["amount"])
    assert due, "there are no entries"
    for account, balance in due.items():
        assert found.get(account, 0) == balance, f"{account}: {found.get(account)} is not {balance}"


def focus(folder):
    due = {
        invoice["id"]: Decimal(invoice["total"]) - Decimal(invoice["credited"])
        for invoice in rows(f"{folder}/invoices.csv")
        if invoice["state"] != "draft"
    }
    found, statuses = Counter(), Counter()
    for row in rows(f"{folder}/focus.csv"):
        found[row["InvoiceId"]] += Decimal(row["BilledCost"])
        statuses[row["CapacityReservationStatus"]] += 1
    assert len(due) > 12 and statuses["Used"] and statuses["Unused"], f"{len(due)}, {statuses}"
    assert found == due, "the sums are others"


def tables(folder):
    import duckdb

    for table in ("contracts", "entries", "invoices"):
        parquet = f"read_parquet('{folder}/{table}.parquet')"
        kinds = {name: kind for name, kind, *_ in duckdb.sql(f"DESCRIBE FROM {parquet}").fetchall()}
        assert {"DECIMAL(18,6)", "TIMESTAMP WITH TIME ZONE"} <= set(kinds.values()), kinds
        spelled = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())
        text = f"read_csv('{folder}/{table}.csv', columns = {{{spelled}}})"
        for one, other in ((parquet, text), (text, parquet)):
            more = duckdb.sql(f"FROM {one} EXCEPT ALL FROM {other}").fetchall()
            assert not more, f"{table}: {len(more)} rows of {one} are not in {other}: {more[0]}"
        assert duckdb.sql(f"SELECT count(*) FROM {parquet}").fetchall()[0][0] > 12


# Version 1.0.0 of the validator asks for these columns of FOCUS 1.0 under the names they had in drafts.
DRAFTS = {
    "InvoiceIssuer": "InvoiceIssuerName",
    "Provider": "ProviderName",
    "Publisher": "PublisherName",
    "ResourceID": "ResourceId",
    "ChargeType": "ChargeCategory",
}


def rename(folder):
    found = rows(f"{folder}/focus.csv")
    names = list(found[0]) + list(DRAFTS)
    with open(f"{folder}/focus-renamed.csv", "w", newline="") as file:
        out = csv.DictWriter(file, names)
        out.writeheader()
        for row in found:
            out.writerow(row | {draft: row[name] for draft, name in DRAFTS.items()})


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
