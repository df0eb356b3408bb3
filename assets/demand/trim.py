#!/usr/bin/env python3
"""Trims the Philly trace to the jobs a market of GPU blocks could sell.

Reads the trace as CSV on standard input (columns submit_time_s, gpus, duration_s, customer; others
are dropped) and writes philly_2017.csv on standard output:

    ./trim.py < philly-full.csv > philly_2017.csv

The rule, all of it: keep every job that ran for at least one hour, in the order it was submitted;
round its submission down and its duration up to whole minutes. Nothing is sampled, scaled or moved.
"""

import csv
import sys

HOUR = 3600

jobs = csv.DictReader(sys.stdin)
out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(["submit_minute", "gpus", "minutes", "customer"])
for job in jobs:
    seconds = int(job["duration_s"])
    if seconds >= HOUR:
        submit_minute = int(job["submit_time_s"]) // 60
        out.writerow([submit_minute, job["gpus"], -(-seconds // 60), job["customer"]])
