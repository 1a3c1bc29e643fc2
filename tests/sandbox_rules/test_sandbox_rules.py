"""What a sandbox is made of, as values: mounts, rules of the network, the container, and as whom."""

import pytest

from daemon.core.failures import Failure
from daemon.sandbox import firewall
from daemon.sandbox.container import Limits, Spec, binds, creation, host_config
from daemon.sandbox.protection import READ_ONLY, Mount, ProtectionError, mounts
from daemon.sandbox.user import user_for


def test_everything_is_protected_also_where_nothing_is() -> None:
    found = {mount.path: mount for mount in mounts(lambda path: "folder" if path == ".git" else "absent")}
    assert set(READ_ONLY) <= set(found)
    assert all(found[path].read_only and found[path].absent for path in READ_ONLY)
    assert found[".git"].read_only is False  # a mount of its own, so that it cannot be moved away
    assert next(iter(found)) == ".git"


def test_in_a_folder_that_is_no_repository_none_can_be_made() -> None:
    found = {mount.path: mount for mount in mounts(lambda _: "absent")}
    assert found[".git"] == Mount(".git", read_only=True, absent=True)
    assert not any(path.startswith(".git/") for path in found)
    worktree = {mount.path: mount for mount in mounts(lambda path: "file" if path == ".git" else "absent")}
    assert worktree[".git"] == Mount(".git", read_only=True, absent=False)


@pytest.mark.parametrize("path", [".git", ".envrc", ".git/hooks"])
def test_a_link_cannot_be_protected_and_is_refused(path: str) -> None:
    with pytest.raises(ProtectionError, match="symbolic link"):
        mounts(lambda each: "link" if each == path else "folder" if each == ".git" else "absent")


def test_the_rules_name_one_address_and_one_port() -> None:
    rules = firewall.ruleset(address="172.18.0.1", port=4711)
    assert "ip daddr 172.18.0.1 tcp dport 4711 accept" in rules
    assert rules.count("accept;") == 0
    assert rules.count("policy drop") == 3
    for address, port in (("x; flush ruleset", 1), ("::1", 1), ("172.18.0.1", 0), ("172.18.0.1", 70000)):
        with pytest.raises(ValueError, match=r".+"):
            firewall.ruleset(address=address, port=port)


def spec(**other: object) -> Spec:
    given: dict[str, object] = {
        "image": "i",
        "name": "n",
        "user": "1000:1001",
        "workspace": "/w",
        "mounts": [Mount(".git", read_only=False, absent=False), Mount(".git/hooks", read_only=True, absent=True)],
        "run_folder": "/r",
        "tools": None,
        "network": "net",
        "address": "172.18.0.1",
        "labels": {},
        "limits": Limits(memory_bytes=2**30, cpus=1.5, pids=100),
        "terminal": False,
        "environment": {},
    }
    return Spec(**(given | other))  # type: ignore[arg-type]


def test_what_lies_above_is_mounted_first_and_what_is_protected_read_only() -> None:
    assert binds(spec()) == [
        "/w:/workspace:rw",
        "/r:/run/aileron:ro",
        "/w/.git:/workspace/.git:rw",
        "/w/.git/hooks:/workspace/.git/hooks:ro",
    ]
    assert binds(spec(tools="v"))[-1] == "v:/opt/aileron:ro"


def test_a_container_is_closed_in_every_way_it_can_be() -> None:
    config = host_config(spec())
    assert config["cap_drop"] == ["ALL"]
    assert config["security_opt"] == ["no-new-privileges"]
    assert config["read_only"] is True
    assert config["privileged"] is False
    assert config["dns"] == ["127.0.0.1"]
    assert config["memswap_limit"] == config["mem_limit"] == 2**30
    assert config["nano_cpus"] == 1_500_000_000
    assert creation(spec())["user"] == "1000:1001"
    assert "TOKEN" not in str(creation(spec()))


def test_an_agent_is_never_root() -> None:
    def user(caller: int = 1000, owner: int = 1000, wanted: str | None = None) -> str:
        return user_for(caller=(caller, caller), owner=(owner, owner), wanted=wanted, workspace="/w")

    assert user() == "1000:1000"
    assert user(caller=0, owner=1000) == "1000:1000"
    assert user(caller=0, owner=0, wanted="1000") == "1000:1000"
    assert user(caller=0, owner=0, wanted="1000:100") == "1000:100"
    for refused in ({"caller": 0, "owner": 0}, {"wanted": "0"}, {"wanted": "root"}, {"wanted": "1000:x"}):
        with pytest.raises(Failure):
            user(**refused)  # type: ignore[arg-type]
