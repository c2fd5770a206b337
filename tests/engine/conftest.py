"""The engine without a daemon, on each database."""

from collections.abc import Iterator

import pytest

from tests.support.lab import Lab


@pytest.fixture
def lab(database_url: str) -> Iterator[Lab]:
    """An engine on an empty store, its clock set."""
    found = Lab(database_url)
    yield found
    found.close()
