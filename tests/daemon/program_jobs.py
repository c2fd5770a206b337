"""Functions that the workers of an Engine import by name, in the tests of test_engine.py."""

import os
import time
from pathlib import Path

from qflowd import context, job


@job(retries=1, retry_delay="0s")
def divide(a: int, b: int) -> dict:
    """Divide, in whole numbers."""
    print("dividing")
    return {"result": a // b, "pid": os.getpid(), "attempt": context().attempt}


@job
def nap(seconds: float, flag: str) -> str:
    Path(flag).touch()
    time.sleep(seconds)
    return "slept"


def double(text: str) -> str:
    return text * 2


class Desk:
    @staticmethod
    def half(number: int) -> int:
        return number // 2


def make_job(name: str):
    @job(name=name)
    def made() -> str:
        return name

    return made


made_by_a_factory = make_job("factory_made")


def blink() -> None:
    """Short, and long enough that a worker has always another one behind it."""
    time.sleep(0.03)


@job
def send_order(quantity: int) -> None:
    raise ValueError(f"the broker takes no order of {quantity}")


@send_order.compensation
def cancel_order(quantity: int, output: None) -> str:
    return f"cancelled {quantity}"
