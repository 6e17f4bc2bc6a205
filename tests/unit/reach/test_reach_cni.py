"""Every CNI that a user may name is known in full, and is put into a cluster as upstream has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from worlds.samples import OURS, SECRETS, SPEC, site
from worlds.sshd import TestServer

from reach.conftest import claim
from rpool.errors import CommandFailed, Refused
from rpool.model import action as act
from rpool.model.cni import CNIS, NO_CNI
from rpool.model.site import Mirrors
from rpool.reach import cni
from rpool.reach.cni import Cni
from rpool.reach.render import render
from rpool.reach.script import compose
from rpool.reach.world import RealWorld

INSTALLED = [name for name in CNIS if name != NO_CNI]
ALL = pytest.mark.parametrize("known", cni.KNOWN.values(), ids=cni.KNOWN)


def install(name: str) -> act.ApplyNetwork:
    return act.ApplyNetwork("r1u04", OURS, "10.77.0.0/16", name, "10.0.1.200:6443")


def test_each_name_that_a_user_may_give_is_known_and_no_other() -> None:
    assert tuple(cni.KNOWN) == CNIS
    assert cni.KNOWN[NO_CNI].install is None


@pytest.mark.parametrize("name", INSTALLED)
def test_a_cni_that_is_installed_has_all_that_it_takes(name: str) -> None:
    known = cni.installed(name)
    version = PurePosixPath(known.manifest.mirrored).parts[1]
    assert known.manifest.upstream.startswith("https://")
    assert f"/{version}/" in known.manifest.upstream
    assert re.fullmatch(f"{name}/v[0-9.]+/[^/]+[.]ya?ml", known.manifest.mirrored)
    assert re.fullmatch("[0-9a-f]{64}", known.manifest.sha256)
    assert known.images
    for image in known.images:
        assert re.fullmatch(r"[a-z0-9-]+([.][a-z0-9-]+)+(/[a-z0-9._-]+)+:v?[\w.-]+", image)
    for function in ("set_pod_cidr", "set_api", "set_interface"):
        assert f"\n{function}() {{" in compose((f"cni/{known.script}",), {})
    assert install(name).doing == f"installing {name}"


@pytest.mark.parametrize("name", INSTALLED)
def test_its_traces_are_known(name: str) -> None:
    known = cni.named(name)
    assert known.configuration
    assert known.interfaces


@ALL
def test_what_it_leaves_is_told_to_scripts_as_words_and_patterns(known: Cni) -> None:
    for path in (*known.configuration, *known.folders):
        assert re.fullmatch("(/[A-Za-z0-9_.-]+){2,}", path)
    for path in known.configuration:
        assert path.startswith("/etc/cni/net.d/")
    for word in (*known.plugins, *known.chains):
        assert re.fullmatch("[A-Za-z0-9_-]+", word)
    text = " ".join(cni.TRACES.values())
    for item in (
        *known.configuration,
        *known.folders,
        *known.plugins,
        *known.interfaces,
        *known.chains,
    ):
        assert item in text


OTHERS_INTERFACES = "lo eth0 eno1 ens3 wlan0 bond0 br0 br-lan docker0 virbr0 wg0 vxlan1 tun0 dummy0"
OTHERS_CHAINS = "INPUT FORWARD PREROUTING DOCKER-USER LIBVIRT_FWI UFW-INPUT f2b-sshd KUBERNETES-X"


@ALL
def test_nothing_that_servers_have_by_themselves_is_taken_for_a_trace(known: Cni) -> None:
    for interface in OTHERS_INTERFACES.split():
        assert not any(re.fullmatch(pattern, interface) for pattern in known.interfaces)
    for chain in OTHERS_CHAINS.split():
        assert not any(chain.startswith(f"{beginning}-") for beginning in known.chains)


@pytest.mark.parametrize(
    ("name", "says"), [("weave", "no cni that rpool knows"), (NO_CNI, "the user's to install")]
)
def test_a_cni_that_is_not_ours_to_install_is_refused(name: str, says: str) -> None:
    """A cluster's record may say anything."""
    with pytest.raises(Refused, match=says):
        render(install(name), site(), 60)


@contextmanager
def mirror(server: TestServer, name: str, text: str) -> Iterator[RealWorld]:
    """A site whose mirror has `text` for the CNI's manifest, which passes for upstream's."""
    manifest = cni.installed(name).manifest
    path = server.root / manifest.mirrored
    path.parent.mkdir(parents=True)
    path.write_text(text)
    server.marker("sha256sum", f"echo '{manifest.sha256}  file'")
    applied = f"{server.root}/applied"
    server.marker("kubectl", f'for file; do :; done\ncat "$file" >{applied}')
    world = RealWorld(replace(server.site(), mirrors=Mirrors(manifests=f"file://{server.root}")))
    with closing(world):
        yield world


FLANNEL = """kind: ConfigMap
data:
  net-conf.json: |
    {"Network": "10.244.0.0/16", "x": 1}
---
kind: DaemonSet
spec:
  template:
    spec:
      containers:
      - name: kube-flannel
        args:
        - --ip-masq
        - --kube-subnet-mgr
        env:
        - name: POD_NAME
"""
API = """        env:
        - name: HOST_IP
          valueFrom:
            fieldRef:
              fieldPath: status.hostIP
        - name: KUBERNETES_SERVICE_HOST
          value: "10.0.1.200"
        - name: KUBERNETES_SERVICE_PORT
          value: "6443"
"""


def test_flannel_gets_the_network_the_api_and_the_interface_of_the_cluster(
    world: RealWorld, server: TestServer
) -> None:
    claim(world)
    with mirror(server, "flannel", FLANNEL) as mirrored:
        mirrored.carry_out(install("flannel"), 60)
    applied = (server.root / "applied").read_text()
    expected = FLANNEL.replace("10.244.0.0/16", SPEC.networking.pod_cidr)
    arguments = "        - --kube-subnet-mgr\n"
    interface = f"{arguments}        - --iface=$(HOST_IP)\n"
    assert applied == expected.replace("        env:\n", API).replace(arguments, interface)
    assert "apply --server-side --force-conflicts --field-manager=rpool" in server.calls


@pytest.mark.parametrize("place", ["Network", "env", "subnet-mgr"])
def test_a_manifest_without_a_place_for_one_of_these_is_not_applied(
    world: RealWorld, server: TestServer, place: str
) -> None:
    claim(world)
    text = FLANNEL.replace(place, "other")
    with mirror(server, "flannel", text) as mirrored, pytest.raises(CommandFailed):
        mirrored.carry_out(install("flannel"), 60)
    assert "kubectl" not in server.calls


PATHS = [path for known in cni.KNOWN.values() for path in (*known.configuration, *known.folders)]


@pytest.mark.parametrize("path", PATHS)
def test_a_server_with_a_path_of_a_cni_is_no_spare_and_is_clean_after_a_reset(
    world: RealWorld, server: TestServer, path: str
) -> None:
    claim(world)
    trace = server.path(path) / "left" if path not in configurations() else server.path(path)
    trace.parent.mkdir(parents=True, exist_ok=True)
    trace.write_text("left")
    assert path in world.probe("r1u04").traces
    world.carry_out(act.Reset("r1u04", OURS, None), 100)
    assert not server.path(path).exists()
    assert world.probe("r1u04").is_spare


def configurations() -> set[str]:
    return {path for known in cni.KNOWN.values() for path in known.configuration}


@pytest.mark.parametrize("path", sorted(configurations()))
def test_a_join_that_was_cut_off_leaves_no_configuration_of_a_cni(
    world: RealWorld, server: TestServer, path: str
) -> None:
    claim(world)
    server.path(path).parent.mkdir(parents=True, exist_ok=True)
    server.path(path).write_text("{}")
    join = act.Join("r1u04", OURS, server.node, SPEC, SECRETS, control_plane=False, through="r1u05")
    world.carry_out(join, 60)
    assert not server.path(path).exists()
