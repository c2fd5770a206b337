"""A file that says the digest of another is read as programs that make checksums write it."""

from __future__ import annotations

import pytest

from qflowd.engine.waits.checksums import digest_in

DIGEST, OTHER = "ab" * 32, "cd" * 32


@pytest.mark.parametrize(
    "text",
    [
        DIGEST,
        DIGEST.upper() + "\r\n",
        f"{DIGEST}  bars.csv\n",
        f"{DIGEST} *bars.csv\n",
        f"{DIGEST} bars.csv",
        f"{DIGEST}\tbars.csv",
        f"{DIGEST} *C:\\in\\bars.csv",
        f"{DIGEST}  ./in/bars.csv\n",
        f"SHA256 (bars.csv) = {DIGEST}\n",
        f"# made at the close\n{OTHER}  ticks.csv\n{DIGEST}  bars.csv\n",
    ],
)
def test_the_digest_of_a_file_is_found(text: str) -> None:
    assert digest_in(text, "bars.csv", 64) == DIGEST


@pytest.mark.parametrize(
    "text",
    [
        "",
        DIGEST[:-2],
        DIGEST + "00",
        f"{DIGEST}  ticks.csv",
        f"SHA256 (ticks.csv) = {DIGEST}",
        "bars.csv",
    ],
)
def test_what_says_no_digest_of_it_or_one_of_another_length_is_none(text: str) -> None:
    assert digest_in(text, "bars.csv", 64) is None
