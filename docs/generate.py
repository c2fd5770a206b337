"""Writes docs/configuration.md from the table of keys that reads the configuration: `python docs/generate.py`.

tests/docs/test_generated.py fails when the page is not what this makes.
"""

from itertools import groupby
from pathlib import Path

from qflowd.config import reference

PAGE = Path(__file__).parent / "configuration.md"

ABOUT = {
    "database": "Where the database is: either `url` or its parts.",
    "daemon": "Settings of this daemon. All except `timeout` may differ from host to host.",
    "plugins": "Where jobs come from. See [plugins](plugins.md).",
    "workflows": "Where workflow files are.",
    "log": "The daemon's own log, on stderr. Output of tasks goes to the database.",
    "pools.NAME": "Worker slots of this daemon, one section per pool: `processes` times `threads` tasks run at once.",
}

HEAD = """\
# Configuration

<!-- Made by docs/generate.py from qflowd/config/keys.py; change it there. -->

One file, `qflowd.toml`, `qflowd.yaml` or `qflowd.json`, the same keys in all three. qflowd looks for it in this
order: `--config`, `$QFLOWD_CONFIG`, the current folder. Without a file, or with an empty one, all defaults apply. All
faults are reported at once; an unknown key is a fault.

- Relative paths, including that of a SQLite URL, start at the folder of the file, which is also the current folder of
  jobs.
- Durations are written `"500ms"`, `"10s"`, `"1h30m"`.
- `QFLOWD_DATABASE_URL` replaces `[database]`, so that a password need not be in the file. Workers never see it.
- `qflowd doctor` checks the file, the folders and the database.

```toml
[database]
url = "postgresql://qflowd@db.example/market"

[daemon]
name = "host-a"
timeout = "1h"

[pools.default]
processes = 4

[pools.io]
processes = 2
threads = 8

[plugins]
dirs = ["plugins", "/srv/shared/plugins"]
enable = ["shell"]
env = ["VENDOR_TOKEN"]
```

URLs: `sqlite:///qflow.db` is relative, `sqlite:////var/lib/qflowd/qflow.db` absolute;
`postgresql://user:password@host:5432/name?sslmode=verify-full`; `mysql://user:password@host:3306/name` (`mariadb://` is
the same; the tables are in the database `qflow` whatever `name` is). Special characters in user and password are
percent-encoded.
"""


def page() -> str:
    """The text of the page."""
    parts = [HEAD]
    for section, rows in groupby(reference(), key=lambda row: row.key.rpartition(".")[0]):
        parts += [
            f"\n## [{section}]\n",
            f"\n{ABOUT[section]}\n\n",
            "| key | type | default | meaning |\n|---|---|---|---|\n",
        ]
        for row in rows:
            default = row.default if "`" in row.default or " " in row.default or not row.default else f"`{row.default}`"
            parts.append(f"| `{row.key.rpartition('.')[2]}` | {row.type} | {default} | {row.meaning} |\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
