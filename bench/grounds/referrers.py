"""Domains that send false Referer headers, by the year they were listed, against referrers in a real log."""

from __future__ import annotations

from bench.grounds import data
from bench.grounds.judge import Judge, landing
from bench.table import Ground, Row
from detectors.observation import Kind


def rows(judge: Judge) -> list[Row]:
    spam = data.table("referrer-spam/referrer_spam_dated.csv")
    told = {line.split('"')[3] for line in data.lines("access-log/apache_logs.gz") if line.count('"') >= 6}
    listed = {row["domain"] for row in spam}
    good = sorted(value for value in told if value.startswith("http") and not any(domain in value for domain in listed))
    ours = judge.scorers(lambda value: landing([("Referer", value)]), ("referrer",), Kind.LANDING)
    found = []
    for years in (("2015", "2016", "2017"), ("2018", "2019"), ("2020", "2021"), ("2022", "2023")):
        bad = [f"http://{row['domain']}/" for row in spam if row["first_listed"][:4] in years]
        found += Ground(f"referrer spam listed {years[0]} to {years[-1]}", bad, good, ours).rows()
    return found
