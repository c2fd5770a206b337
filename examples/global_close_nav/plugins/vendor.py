"""How the jobs ask the vendor: one request, and what its answer means for the task."""

import json
import os
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from qflowd import NotYet, RetryLater

VENDOR = os.environ.get("VENDOR", "http://127.0.0.1:8765")
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this host: no proxy between


def ask(table: str, **query: object) -> Any:
    """What the vendor has in a table.

    Raises: NotYet for what lands later; RetryLater while the vendor refuses; OSError if it does not answer otherwise.
    """
    try:
        with DIRECTLY.open(f"{VENDOR}/{table}?{urlencode(query)}", timeout=30) as answer:
            if answer.status != 200:
                raise NotYet(f"{table}: {answer.read().decode()}")
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code != 429:
            raise
        raise RetryLater(float(error.headers["Retry-After"]), limit="vendor", reason=f"{table}: throttled") from None
