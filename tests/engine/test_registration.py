"""What a daemon says of its plugins, with texts that a database would refuse: they must not keep it from starting."""

from qflowd.config.records import PoolConfig
from qflowd.engine.membership.registration import register
from qflowd.model.workflow import Job
from qflowd.plugins.registry import Registry

POOLS = {"default": PoolConfig(1)}
ODD = "a\0b\udcff"


def test_odd_texts_of_plugins_are_kept_as_well_as_they_can_be(lab):
    job = Job(name="work", module="m", file=f"/plugins/{ODD}.py", hash="h", title=ODD, doc=ODD)
    registry = Registry(jobs={"work": job}, errors={f"/plugins/{ODD}.py": ODD, "/plugins/a\0b\udcfe.py": "another"})
    register(lab.store, 7, registry, POOLS, is_ready=True)
    register(lab.store, 7, registry, POOLS, is_ready=True)
    clean = "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    assert lab.sql("SELECT title, file, doc FROM qflow.job") == [(clean, f"/plugins/{clean}.py", clean)]
    [(file, error)] = lab.sql("SELECT file, error FROM qflow.plugin")
    assert file == f"/plugins/{clean}.py"
    assert error in (clean, "another")


def test_a_submission_of_an_unknown_job_is_told_which_plugin_files_have_errors(lab):
    def refusal():
        number = lab.submit(job="unknown")
        while lab.admit.tick() == 0:
            pass
        return lab.column("submissions", "error", number)

    assert refusal() == "no daemon has ever registered a job 'unknown'; is its plugin file in place?"
    register(lab.store, 7, Registry(errors={"/plugins/work.py": "line 2: SyntaxError"}), POOLS, is_ready=True)
    assert refusal() == (
        "no daemon has ever registered a job 'unknown'; "
        "`qflowd plugins` says more; plugin files with errors: /plugins/work.py"
    )
