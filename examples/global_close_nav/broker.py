"""A made-up broker: `python broker.py 2026-12-24` puts the positions of a day into the inbox, in two parts.

The second part comes a while later, and the checksum after it, as when a file is sent over a slow line.
"""

import argparse
import hashlib
import time
from datetime import date
from pathlib import Path

INBOX = Path("/tmp/nav_inbox")  # noqa: S108 - as in workflows/global_nav.yaml
HELD = {"00005": 40_000, "00700": 3_000, "09988": 8_000, "IBM": 900, "JPM": 1_200, "KO": 5_000}


def deliver(day: date, inbox: Path = INBOX, pause_s: float = 2.0) -> Path:
    """Write the file and, when it is complete, its checksum."""
    inbox.mkdir(parents=True, exist_ok=True)
    file = inbox / f"positions_{day:%Y%m%d}.csv"
    lines = ["symbol,quantity\n", *(f"{symbol},{quantity + day.day}\n" for symbol, quantity in HELD.items())]
    with file.open("w", encoding="utf-8") as out:
        out.writelines(lines[:3])
        out.flush()
        time.sleep(pause_s)
        out.writelines(lines[3:])
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file.with_name(f"{file.name}.sha256").write_text(f"{digest}  {file.name}\n", "utf-8")
    return file


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="A made-up broker.")
    options.add_argument("day", type=date.fromisoformat)
    print(deliver(options.parse_args().day))
