"""`python -m qflowd`: the same as the command `qflowd`."""

import sys

from qflowd.cli import main

sys.exit(main())
