"""The daemon's own log: a line for people, or a JSON object for machines."""

import json
import logging
import os
import sys
from datetime import UTC, datetime


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def set_up(style: str, level: str) -> None:
    """Send the log `qflowd` to stderr. `auto`: for people on a terminal, JSON elsewhere."""
    if sys.stderr is None:  # closed by the parent process
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - it stays open
    handler = logging.StreamHandler(sys.stderr)
    is_console = style == "console" or (style == "auto" and sys.stderr.isatty())
    for_people = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
    handler.setFormatter(for_people if is_console else JsonFormatter())
    log = logging.getLogger("qflowd")
    log.handlers[:] = [handler]
    log.setLevel(level.upper())
    log.propagate = False
