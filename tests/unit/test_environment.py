"""What workers see of the daemon's environment, and what somebody may miss there."""

from qflowd.workers.environment import env_remarks, worker_env


def test_certificates_and_proxies_reach_workers_but_no_login_does():
    environ = {
        "SSL_CERT_FILE": "/ca.pem",
        "REQUESTS_CA_BUNDLE": "/ca.pem",
        "NO_PROXY": "localhost",
        "http_proxy": "http://proxy:80",
    }
    secret = {"HTTPS_PROXY": "http://desk:hunter2@proxy:80"}
    seen = worker_env(environ | secret)
    assert environ.items() <= seen.items()
    assert "HTTPS_PROXY" not in seen
    assert env_remarks(environ | secret) == [
        "HTTPS_PROXY holds a login, so workers do not get it unless [plugins] env names it"
    ]
    assert secret.items() <= worker_env(secret, ["HTTPS_PROXY"]).items()
    assert env_remarks(secret, ["HTTPS_PROXY"]) == []


def test_a_name_that_is_not_set_is_named():
    [remark] = env_remarks({}, ["TOKEN"])
    assert remark.startswith(
        "[plugins] env names TOKEN, which is not set: workers do not have it; set it, or name it TOKEN?"
    )


def test_an_optional_name_that_is_not_set_is_not_named():
    assert env_remarks({}, ["TOKEN?"]) == []
    assert (
        worker_env({"TOKEN": "t", "OMP_NUM_THREADS": "4"}, ["TOKEN?", "OMP_NUM_THREADS?"]).items()
        >= {
            "TOKEN": "t",
            "OMP_NUM_THREADS": "4",
        }.items()
    )
    assert env_remarks({"HTTPS_PROXY": "http://desk:hunter2@proxy:80"}, ["HTTPS_PROXY?"]) == []
