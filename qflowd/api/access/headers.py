"""Headers that tell browsers what they may do with an answer."""

from typing import Final

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
ALWAYS: Final = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
)
NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"


def security_headers() -> list[tuple[str, str]]:
    """Of any answer of the API: it is never a page, and no cache keeps it unless the answer says so."""
    return [*ALWAYS, ("content-security-policy", NOTHING), ("cache-control", "no-store")]


def page_headers(nonce: str = "") -> list[tuple[str, str]]:
    """Of the page and its files, which say themselves how long they are kept. `nonce`: of the styles that its editor makes."""
    policy = POLICY.format(nonce=nonce) if nonce else NOTHING
    return [*ALWAYS, ("content-security-policy", policy), ("cache-control", "no-store")]
