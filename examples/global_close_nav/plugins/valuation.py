"""Jobs that value the fund: positions of the broker or, flagged, those of the session before; value; report."""

import csv
import hashlib
from datetime import date
from pathlib import Path
from typing import Any

from fund import fund

from qflowd import Fail, context, job

REPORTS = Path("reports")
VALUE = """
SELECT symbol, quantity * close * rate, positions_of FROM position
  JOIN price USING (symbol) JOIN rate USING (currency)
 WHERE position.day = :day AND rate.day = :day
   AND price.day = (SELECT max(day) FROM price AS other WHERE other.symbol = position.symbol AND other.day <= :day)
 ORDER BY 2 DESC
"""


@job(title="Read the positions")
def load_positions(day: date, before: date, files: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Store the broker's positions of a day, or where it has sent none those of the session before."""
    with fund() as db:
        if files:
            rows = [(row["symbol"], str(day), row["quantity"], str(day)) for row in read(Path(files[0]["path"]))]
        else:
            query = "SELECT symbol, ?, quantity, positions_of FROM position WHERE day = ?"
            rows = db.execute(query, (str(day), str(before))).fetchall()
        if not rows:
            raise Fail(f"there are no positions of {before} either")
        db.execute("DELETE FROM position WHERE day = ?", (str(day),))
        db.executemany("INSERT INTO position VALUES (?, ?, ?, ?)", rows)
    return {"positions": len(rows), "of": rows[0][3]}


def read(file: Path) -> list[dict[str, str]]:
    """Rows of a file, if it is what its checksum says."""
    content = file.read_bytes()
    said = file.with_name(f"{file.name}.sha256").read_text("utf-8").split()[0]
    if hashlib.sha256(content).hexdigest() != said:
        raise Fail(f"{file.name} is not what its checksum says")
    return list(csv.DictReader(content.decode().splitlines()))


@job
def compute_nav(day: date) -> dict[str, Any]:
    """Value each position at its latest close, in yuan, and the fund."""
    with fund() as db:
        (held,) = db.execute("SELECT count(*) FROM position WHERE day = ?", [str(day)]).fetchone()
        rows = db.execute(VALUE, {"day": str(day)}).fetchall()
        if len(rows) != held:
            raise Fail(f"{held - len(rows)} of {held} positions have no close or rate")
        value = sum(row[1] for row in rows)
        positions_of = rows[0][2]
        db.execute("INSERT OR REPLACE INTO nav VALUES (?, ?, ?)", (str(day), value, positions_of))
    shares = {symbol: round(worth / value, 4) for symbol, worth, _ in rows}
    return {"value": round(value, 2), "shares": shares, "positions_of": positions_of}


@job
def tell_desk(what: str) -> None:
    """Say what is missing: here in the log, on a desk by a message to whoever is on duty."""
    context().logger.error(what)


@job
def write_report(day: date, nav: dict[str, Any]) -> str:
    """Write the report of a day, which says so if its positions are of another one."""
    lines = [f"Net asset value of {day}: {nav['value']:,.2f} CNY"]
    if nav["positions_of"] != str(day):
        lines.append(f"STALE: the positions are those of {nav['positions_of']}")
    lines += [f"{symbol:<6} {share:>7.2%}" for symbol, share in nav["shares"].items()]
    REPORTS.mkdir(exist_ok=True)
    file = REPORTS / f"nav_{day:%Y%m%d}.txt"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return str(file)
