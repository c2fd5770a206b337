"""The environment of workers: an allow-list, so that no secret of the daemon reaches user code by accident."""

from collections.abc import Iterable, Mapping

_NAMES = frozenset({"PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH"})
_NAMES |= {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy"}
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"})
_PREFIX = "LC_"
# Numeric libraries start a thread per core in every worker otherwise; OMP is also PyArrow's and PyTorch's.
_THREADS = dict.fromkeys(
    (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
        "NUMEXPR_MAX_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS",
    ),
    "1",
)  # fmt: skip


def worker_env(environ: Mapping[str, str], names: Iterable[str] = ()) -> dict[str, str]:
    """What workers see of `environ`: the usual names, `LC_*`, proxies without a login, and `names` from the configuration.

    `OMP_NUM_THREADS` and its kin are 1 unless `names` lets the daemon's own values through.
    """
    allowed = _NAMES.union(names, (name for name in _PROXIES if "@" not in environ.get(name, "")))
    kept = {name: value for name, value in environ.items() if name in allowed or name.startswith(_PREFIX)}
    return {**_THREADS, **kept}


def env_remarks(environ: Mapping[str, str], names: Iterable[str] = ()) -> list[str]:
    """What users may miss in workers: names of the configuration that are not set, and proxies that are held back."""
    names = list(names)
    unset = [
        f"[plugins] env names {name}, which is not set: workers do not have it" for name in names if name not in environ
    ]
    hidden = sorted(name for name in _PROXIES if "@" in environ.get(name, "") and name not in names)
    return unset + [f"{name} holds a login, so workers do not get it unless [plugins] env names it" for name in hidden]
