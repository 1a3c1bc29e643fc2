from daemon.base.faults import NO_FAULTS


def test_in_ordinary_runs_a_fault_point_does_nothing() -> None:
    NO_FAULTS.hit("audit.before_commit")
