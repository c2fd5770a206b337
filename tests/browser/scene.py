"""What the tests of the dashboard look at: workflows, jobs and files, some of them faulty, and runs that have ended."""

from __future__ import annotations

PLUGINS = {
    "market.py": '''
from pathlib import Path

from qflowd import context, job


@job(title="Fetch one day of prices")
def fetch(symbols: int = 12) -> dict:
    """Fetch prices.

    They are made up, but there are always as many.
    """
    print(f"fetched {symbols} symbols")
    return {"symbols": [f"S{i:03}" for i in range(symbols)]}


@job
def bars(symbol: str) -> dict:
    print(f"bars of {symbol}")
    return {"symbol": symbol, "rows": 390}


@job
def check(limit: float = 0.01) -> None:
    print("comparing closes", flush=True)
    if not Path("plugins/good").exists():
        raise ValueError("close of S007 is NaN")


@job
def report() -> str:
    return "done"


@job
def wait_for_file() -> None:
    import time

    while not Path("plugins/go").exists():
        time.sleep(0.05)
''',
    "broken.py": "from qflowd import job\n\ndef broken(:\n",
}

WORKFLOWS = {
    "eod.yaml": """
workflow: eod.cn
title: End of day, China
domain: market-data
tags: [eod, cn]
description: Prices, bars and checks of one day.
params:
  symbols: {type: integer, default: 12, title: How many symbols}
schedule: {cron: "30 16 * * mon-fri", timezone: Asia/Shanghai}
tasks:
  fetch: {job: fetch, params: {symbols: "{{ params.symbols }}"}}
  bars:
    job: bars
    after: fetch
    map: "{{ fetch.output.symbols }}"
    label: "{{ item }}"
    params: {symbol: "{{ item }}"}
  check: {job: check, after: fetch}
  report: {job: report, after: [bars, check]}
""",
    "adr.yaml": """
workflow: reference/adr
title: Reference data
domain: reference
tasks:
  fetch: {job: fetch}
  report: {job: report, after: fetch}
""",
    "long.yaml": """
workflow: long
title: Waits for a file
domain: research
tasks:
  wait: {job: wait_for_file, limits: {vendor: 1}}
  after: {job: report, after: wait}
""",
    "faulty.yaml": """
workflow: faulty
tasks:
  a: {job: fetch, after: nothing}
""",
}
