"""The environment of workers: an allow-list, so that no secret of the daemon reaches user code by accident."""

from collections.abc import Iterable, Mapping

_NAMES = frozenset({"PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH"})
_NAMES |= {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy"}
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"})
_PREFIX = "LC_"
OPTIONAL = "?"  # at the end of a name of the configuration: it need not be set
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
    named = (name.removesuffix(OPTIONAL) for name in names)
    allowed = _NAMES.union(named, (name for name in _PROXIES if "@" not in environ.get(name, "")))
    kept = {name: value for name, value in environ.items() if name in allowed or name.startswith(_PREFIX)}
    return {**_THREADS, **kept}


def env_remarks(environ: Mapping[str, str], names: Iterable[str] = ()) -> list[str]:
    """What users may miss in workers: proxies that are held back, and names of the configuration that are not set.

    One that ends in `?` is not missed.
    """
    names = list(names)
    needed = [name for name in names if not name.endswith(OPTIONAL) and name not in environ]
    remedy = "workers do not have it; set it, or name it {name}? if it need not be set"
    unset = [f"[plugins] env names {name}, which is not set: {remedy.format(name=name)}" for name in needed]
    passed = {name.removesuffix(OPTIONAL) for name in names}
    hidden = sorted(name for name in _PROXIES - passed if "@" in environ.get(name, ""))
    return unset + [f"{name} holds a login, so workers do not get it unless [plugins] env names it" for name in hidden]
