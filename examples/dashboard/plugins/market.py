"""Jobs of a market-data desk: they take as long as real ones seem to, say what they do, and fail now and then.

Nothing is fetched and nothing is stored. What happens is drawn by date, so that a retry finds what the first attempt found.
"""

import random
import time
from logging import Logger

from qflowd import context, job

EXCHANGES = {
    "wind": (("6005", "SH"), ("0007", "SZ")),
    "refinitiv": (("N1", "N"), ("Q2", "OQ")),
    "bloomberg": (("N1", "N"),),
}
BATCH = 20
MINUTES = 240


@job(title="Fetch one day of prices", retries=2, retry_delay="1s")
def fetch(vendor: str, what: str = "prices", symbols: int = 40) -> dict[str, object]:
    """Fetch the prices of `symbols` symbols from a vendor. They are made up."""
    log, chance = context().logger, drawn(vendor, what)
    log.info("asking %s for %s of %d symbols, business date %s", vendor, what, symbols, context().business_date)
    names = [name_of(vendor, number) for number in range(symbols)]
    rows = 0
    for begin in range(0, symbols, BATCH):
        batch = names[begin : begin + BATCH]
        took = chance.uniform(0.15, 0.4)
        time.sleep(took)
        if chance.random() < 0.08 and context().attempt == 1:
            log.warning("%s did not answer for %s to %s", vendor, batch[0], batch[-1])
            raise TimeoutError(f"{vendor} did not answer within 30 s, after {rows:,} rows")
        rows += len(batch)
        log.info("batch %d: %d rows in %.0f ms", begin // BATCH + 1, len(batch), took * 1000)
        context().progress(rows, symbols, batch[-1])
    quiet = chance.sample(names, symbols // 20)
    for name in quiet:
        log.warning("%s: no trade today, volume is 0", name)
    log.info("%d rows of %s, %d without a trade", rows, what, len(quiet))
    return {"symbols": names, "rows": rows}


@job(title="Build the bars of one symbol")
def bars(symbol: str) -> dict[str, object]:
    """Build minute bars of ticks."""
    log, chance = context().logger, drawn(symbol)
    ticks = chance.randint(3_000, 24_000)
    time.sleep(chance.uniform(0.01, 0.05))
    if chance.random() < 0.002:
        raise ValueError(f"ticks of {symbol} are not in order: 10:41:07.250 comes after 10:41:07.500")
    gaps = max(0, chance.randint(-20, 3))
    if gaps:
        log.warning("%s: %d of %d minutes without a tick, filled with the close before", symbol, gaps, MINUTES)
    log.info("%s: %d bars of %s ticks", symbol, MINUTES, f"{ticks:,}")
    return {"symbol": symbol, "rows": MINUTES}


@job(title="Adjust for dividends and splits")
def adjust(actions: int = 5) -> dict[str, int]:
    """Adjust all closes before a corporate action."""
    log, chance = context().logger, drawn("adjust")
    log.info("%d corporate actions", actions)
    for number in range(1, actions + 1):
        time.sleep(chance.uniform(0.03, 0.1))
        log.info("action %d: factor %.6f from today on", number, chance.uniform(0.95, 0.999))
    return {"adjusted": actions}


@job(title="Compare closes with a second source")
def check(symbols: list[str], limit: float = 0.01) -> dict[str, float]:
    """Fail if a close differs by more than `limit`."""
    log, chance = context().logger, drawn("check")
    log.info("comparing %d closes with the second source, limit %.4f", len(symbols), limit)
    time.sleep(chance.uniform(0.3, 0.6))
    differs = {name: chance.uniform(0.0055, 0.0095) for name in chance.sample(symbols, 3)}
    for name, by in differs.items():
        log.log(30 if by < limit else 40, "%s: close differs by %.4f", name, by)
    name, most = max(differs.items(), key=lambda pair: pair[1])
    if most > limit:
        raise ValueError(f"close of {name} differs by {most:.4f} from the second source, more than {limit:.4f}")
    log.info("no close differs by more than %.4f", most)
    return {"largest": round(most, 4)}


@job(title="Compute factors")
def factors(names: list[str]) -> dict[str, int]:
    """Compute each factor over all symbols."""
    log, chance = context().logger, drawn("factors")
    for done, name in enumerate(names, 1):
        time.sleep(chance.uniform(0.05, 0.15))
        log.info("%-10s mean %+.4f, deviation %.4f", name, chance.gauss(0, 0.02), chance.uniform(0.8, 1.2))
        context().progress(done, len(names), name)
    return {"factors": len(names)}


@job(title="Estimate a risk model")
def estimate(steps: int = 200) -> str:
    """Take a while, and say how far it is."""
    log, chance = context().logger, drawn("estimate")
    error = 0.09
    log.info("estimating over %d folds of 40 symbols and 60 days", steps)
    for step in range(steps):
        context().progress(step, steps, f"fold {step}")
        error *= chance.uniform(0.97, 1.005)
        say(log, step, error)
        time.sleep(0.5)
    return "done"


def say(log: Logger, fold: int, error: float) -> None:
    """A line for a fold, and a warning where the error has risen much."""
    log.info("fold %3d: error %.5f, condition number %.0f", fold, error, 80 + 400 * error)
    if fold % 25 == 24:
        log.warning("fold %d: covariance is nearly singular, shrunk by 0.10", fold)


@job(title="Write the morning report")
def report(title: str = "morning") -> str:
    """Write it."""
    log, chance = context().logger, drawn("report")
    time.sleep(chance.uniform(0.1, 0.3))
    log.info("report %s: 12 pages, 4 tables, 318 KB", title)
    return title


def drawn(*what: str) -> random.Random:
    """The same for the same day."""
    return random.Random("/".join((str(context().business_date), *what)))


def name_of(vendor: str, number: int) -> str:
    """A symbol as the vendor writes it."""
    exchanges = EXCHANGES[vendor]
    prefix, exchange = exchanges[number % len(exchanges)]
    return f"{prefix}{number:02}.{exchange}"
