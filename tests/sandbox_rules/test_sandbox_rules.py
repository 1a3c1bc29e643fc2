"""What a sandbox is made of, as values: mounts, rules of the network, the container, and as whom."""

import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from world import ROOT

from daemon.core.failures import Failure
from daemon.sandbox import firewall
from daemon.sandbox.container_options import (
    ANCHOR_UID,
    Anchor,
    ContainerLimits,
    Forwarder,
    Spec,
    anchor_creation,
    anchor_host_config,
    binds,
    creation,
    forwarder_creation,
    forwarder_host_config,
    host_config,
)
from daemon.sandbox.held_pipe import PIPE, HeldPipe
from daemon.sandbox.reach import DECOY_PORT, FORWARDED_PORT, Reach, reach_of
from daemon.sandbox.user import user_for
from daemon.sandbox.volumes import Mounted, overlay
from daemon.workspaces.layers.opening import open_folder


def test_a_layer_is_described_by_descriptors_and_by_no_name(tmp_path: Path) -> None:
    odd = tmp_path / "a,upperdir=b:c"
    odd.mkdir()
    with open_folder(odd) as lower, open_folder(tmp_path) as upper, open_folder(odd) as scratch:
        options = overlay("v", lower=lower, upper=upper, scratch=scratch, inside="/workspace").options
        assert options is not None
        here = f"/proc/{os.getpid()}/fd"
        assert options["o"] == (
            f"nosuid,nodev,lowerdir={here}/{lower.descriptor},upperdir={here}/{upper.descriptor},"
            f"workdir={here}/{scratch.descriptor},userxattr"
        )
        assert str(tmp_path) not in str(options)


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
        "workspace": [Mounted(source="v", inside="/workspace"), Mounted(source="b", inside="/o", read_only=True)],
        "run_folder": "/r",
        "tools": None,
        "anchor": "a",
        "labels": {},
        "limits": ContainerLimits(memory_bytes=2**30, cpus=1.5, pids=100),
        "terminal": False,
        "environment": {},
    }
    return Spec(**(given | other))  # type: ignore[arg-type]


def test_the_workspace_is_a_volume_and_nothing_of_an_image_is_copied_into_it() -> None:
    mounts = host_config(spec())["mounts"]
    assert [(each["Source"], each["Target"], each["ReadOnly"]) for each in mounts] == [
        ("v", "/workspace", False),
        ("b", "/o", True),
    ]
    assert all(each["Type"] == "volume" and each["VolumeOptions"] == {"NoCopy": True} for each in mounts)
    assert binds(spec()) == ["/r:/run/aileron:ro"]
    assert binds(spec(tools="v"))[-1] == "v:/opt/aileron:ro"


def test_a_container_is_closed_in_every_way_it_can_be() -> None:
    config = host_config(spec())
    assert config["cap_drop"] == ["ALL"]
    assert config["security_opt"] == ["no-new-privileges"]
    assert config["read_only"] is True
    assert config["privileged"] is False
    assert config["network_mode"] == "container:a"
    assert config["memswap_limit"] == config["mem_limit"] == 2**30
    assert config["nano_cpus"] == 1_500_000_000
    assert creation(spec())["user"] == "1000:1001"
    assert "TOKEN" not in str(creation(spec()))
    without = spec(limits=ContainerLimits(memory_bytes=2**30, cpus=None, pids=100))
    assert host_config(without)["nano_cpus"] is None


def anchor(*, outside: bool) -> Anchor:
    return Anchor(image="i", name="n", network="net", address="172.18.0.1", held="/h", labels={}, outside=outside)


def forwarder(door: str | None) -> Forwarder:
    target = "tcp:host.docker.internal:1" if door is None else "unix:/run/door/socket"
    return Forwarder(image="i", name="n", network="net", subnet="s", target=target, door=door, labels={})


@pytest.mark.parametrize(
    "config",
    [
        anchor_host_config(anchor(outside=False)),
        anchor_host_config(anchor(outside=True)),
        forwarder_host_config(forwarder("/d")),
        forwarder_host_config(forwarder(None)),
    ],
)
def test_what_is_beside_a_container_is_closed_too(config: dict[str, Any]) -> None:
    assert (config["cap_drop"], config["security_opt"]) == (["ALL"], ["no-new-privileges"])
    assert (config["read_only"], config["privileged"]) == (True, False)
    assert config["network_mode"] == "net"
    assert config["mem_limit"] == config["memswap_limit"] <= 2**27
    assert config["pids_limit"] <= 16
    assert config.get("binds", []) in ([], ["/d:/run/door:ro"], ["/h:/run/held:ro"])


def test_names_are_resolved_only_where_the_network_is_open() -> None:
    assert anchor_host_config(anchor(outside=False))["dns"] == ["127.0.0.1"]
    assert anchor_host_config(anchor(outside=True))["dns"] is None
    assert anchor_host_config(anchor(outside=False))["extra_hosts"] == {"aileron.internal": "172.18.0.1"}
    assert forwarder_creation(forwarder("/d"))["user"] == "65534:65534"


def test_an_anchor_holds_the_processes_of_the_agent_and_has_another_user() -> None:
    assert host_config(spec())["pid_mode"] == "container:a"
    assert "pid_mode" not in anchor_host_config(anchor(outside=False))
    assert anchor_creation(anchor(outside=False))["user"] == f"{ANCHOR_UID}:{ANCHOR_UID}"
    for given in ({"wanted": str(ANCHOR_UID)}, {"wanted": f"{ANCHOR_UID}:5"}, {"caller": (ANCHOR_UID, 5)}):
        known = {"caller": (1000, 1000), "owner": (1000, 1000), "wanted": None, "workspace": "/w"}
        with pytest.raises(Failure, match="could stop it"):
            user_for(**known | given)  # type: ignore[arg-type]
    with pytest.raises(Failure, match="could stop it"):
        user_for(caller=(0, 0), owner=(ANCHOR_UID, 5), wanted=None, workspace="/w")


def test_an_anchor_waits_for_the_pipe_of_the_daemon_and_for_its_input_only_where_there_is_none() -> None:
    assert anchor_creation(anchor(outside=False))["command"] == ["/run/held/alive"]
    without = replace(anchor(outside=False), held=None)
    assert (anchor_creation(without)["command"], anchor_host_config(without)["binds"]) == ([], [])


def test_a_pipe_ends_for_its_reader_when_the_daemon_closes_it_and_not_before(tmp_path: Path) -> None:
    held = HeldPipe.make(tmp_path / "held")
    reader = os.open(tmp_path / "held" / PIPE, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    held.close()
    held.close()
    assert os.read(reader, 1) == b""
    os.close(reader)
    HeldPipe.make(tmp_path / "held").close()  # where one was left


def test_how_the_daemon_is_reached_goes_by_the_kind_of_engine() -> None:
    kinds = {"desktop": False, "rootless": False}
    assert reach_of(kinds, "auto") is Reach.DIRECT
    assert reach_of(kinds | {"rootless": True}, "auto") is Reach.SOCKET
    assert reach_of(kinds | {"desktop": True, "rootless": True}, "auto") is Reach.HOST
    assert reach_of(kinds | {"desktop": True}, "direct") is Reach.DIRECT


def test_the_forwarder_s_ports_are_the_same_inside_and_outside() -> None:
    relay = (ROOT / "sandbox_image" / "inside" / "relay.py").read_text()
    assert f"_PORT = {FORWARDED_PORT}\n" in relay
    assert f"_DECOY = {DECOY_PORT}\n" in relay


def test_an_agent_is_never_root() -> None:
    def user(caller: int = 1000, owner: int = 1000, wanted: str | None = None) -> str:
        return user_for(caller=(caller, caller), owner=(owner, owner), wanted=wanted, workspace="/w")

    assert user() == "1000:1000"
    assert user(caller=0, owner=1000) == "1000:1000"
    assert user(caller=0, owner=0, wanted="1000") == "1000:1000"
    assert user(caller=0, owner=0, wanted="1000:100") == "1000:100"
    rootless = user_for(caller=(1000, 1000), owner=(1000, 1000), wanted=None, workspace="/w", rootless=True)
    assert rootless == "0:0"  # which is the caller there
    with pytest.raises(Failure, match="leave --user away"):
        user_for(caller=(1000, 1000), owner=(1000, 1000), wanted="5", workspace="/w", rootless=True)
    for refused in ({"caller": 0, "owner": 0}, {"wanted": "0"}, {"wanted": "root"}, {"wanted": "1000:x"}):
        with pytest.raises(Failure):
            user(**refused)  # type: ignore[arg-type]


def test_every_package_is_pinned_by_hash_for_the_machines_it_is_made_for() -> None:
    pinned = tomllib.loads((ROOT / "sandbox_image" / "agents.toml").read_text())
    hashes = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")
    machines = {}
    for agent, told in pinned.items():
        for package in told["packages"]:
            assert re.search(r"@\d+\.\d+\.\d+", package["name"]), package["name"]
            assert all(hashes.fullmatch(each) for each in package["integrity"].values())
        each = [package["integrity"].keys() for package in told["packages"]]
        machines[agent] = {m for m in ("x86_64", "aarch64") if all({"any", m} & keys for keys in each)}
    assert all("x86_64" in found for found in machines.values())
    assert {agent for agent, found in machines.items() if "aarch64" in found} == {"claude", "codex", "pi"}
