"""How the jobs ask the vendor: one request, and what its answer means for the task."""

import json
import os
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from qflowd import RetryLater

VENDOR = os.environ.get("VENDOR", "http://127.0.0.1:8765")
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this host: no proxy between


def ask(table: str, limit: str = "vendor", **query: object) -> Any:
    """What the vendor has in a table.

    Raises: RetryLater while the vendor refuses, which is not a failed attempt and keeps all that takes slots of `limit`
    from asking until then. OSError if it does not answer otherwise: worth a retry.
    """
    try:
        with DIRECTLY.open(f"{VENDOR}/{table}?{urlencode(query)}", timeout=30) as answer:
            if answer.status != 200:
                raise OSError(f"{table} is not there: {answer.read().decode()}")
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code != 429:
            raise
        raise RetryLater(float(error.headers["Retry-After"]), limit=limit, reason=f"{table}: throttled") from None
