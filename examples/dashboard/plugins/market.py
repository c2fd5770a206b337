"""Jobs that take as long as real ones seem to, and fail now and then, so that there is something to see."""

import random
import time

from qflowd import context, job


@job(title="Fetch one day of prices")
def fetch(vendor: str, symbols: int = 40) -> dict[str, object]:
    """Fetch the prices of `symbols` symbols from a vendor. They are made up."""
    print(f"asking {vendor} for {symbols} symbols")
    time.sleep(random.uniform(0.05, 0.4))
    if random.random() < 0.08:
        raise TimeoutError(f"{vendor} did not answer within 30 s")
    return {"symbols": [f"{vendor[:1].upper()}{number:03}" for number in range(symbols)]}


@job(title="Build the bars of one symbol")
def bars(symbol: str) -> dict[str, object]:
    """Build minute bars of ticks."""
    time.sleep(random.uniform(0.005, 0.05))
    if random.random() < 0.002:
        raise ValueError(f"ticks of {symbol} are not in order")
    return {"symbol": symbol, "rows": random.randint(200, 400)}


@job(title="Compare closes with a second source")
def check(limit: float = 0.01) -> None:
    """Fail if a close differs by more than `limit`."""
    time.sleep(random.uniform(0.05, 0.3))
    if random.random() < 0.1:
        raise ValueError(f"close of S007 differs by {limit * 3:.2f} from the second source")


@job(title="Estimate a risk model")
def estimate(steps: int = 200) -> str:
    """Take a while, and say how far it is."""
    for step in range(steps):
        context().progress(step, steps, f"fold {step}")
        time.sleep(0.5)
    return "done"


@job(title="Write the morning report")
def report(title: str = "morning") -> str:
    """Write it."""
    print(f"report {title} has 12 pages")
    return title
