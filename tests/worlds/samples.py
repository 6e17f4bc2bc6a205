"""One action of every kind, about one cluster on one server, with values easy to recognise."""

from __future__ import annotations

from dataclasses import replace

from rpool.model import action as act
from rpool.model.action import Action, JoinSecrets
from rpool.model.claim import Claim, Ownership, Phase
from rpool.model.failure import Failure
from rpool.model.pool import (
    ApiServer,
    ControlPlane,
    Endpoint,
    Kubeadm,
    Networking,
    NodeSpec,
    Oidc,
    PoolSpec,
    Selector,
    Taint,
)
from rpool.model.record import Member, Record
from rpool.model.secret import Secret
from rpool.model.server import Fleet, Role, Server
from rpool.model.site import Mirrors, SiteConfig, Ssh

TOKEN = "abcdef.0123456789abcdef"  # noqa: S105 nobody's
CERTIFICATE_KEY = "5ec4e7" * 10 + "feed"
ENCRYPTION_KEY = "c2VjcmV0Ym94IG5lZWRzIDMyIGJ5dGVzIG9mIGEga2V5Lg=="
ENCRYPTION = Secret(f'{{"kind": "EncryptionConfiguration", "secret": "{ENCRYPTION_KEY}"}}')
SECRETS = JoinSecrets(Secret(TOKEN), Secret(CERTIFICATE_KEY), "sha256:" + "1234" * 16, ENCRYPTION)
OURS = Ownership("0badcafe", 3, 7)
NODE = Server("r1u04", "10.0.1.4", 16, 64, "rack1", "ssh-ed25519 AAAA")
SPEC = PoolSpec(
    name="batch",
    kubernetes_version="1.36.3",
    cores=48,
    memory_gib=192,
    control_plane=ControlPlane(3, Endpoint(vip="10.0.1.200")),
    selector=Selector(frozenset({"rack1", "rack2", "rack3"}), {"disk": "ssd"}),
    networking=Networking(pod_cidr="10.77.0.0/16"),
    metallb_pools={"default": ("10.0.1.210-10.0.1.230",)},
    kubeadm=Kubeadm(
        kubelet="failCgroupV1: false\ncgroupDriver: cgroupfs\n",
        kube_proxy="mode: nftables",
        ignore_preflight_errors=("SystemVerification",),
    ),
    api_server=ApiServer(
        Oidc("https://id.example.org", "kubernetes", groups_claim="groups"),
        extra_sans=("api.example.org",),
        flags={"event-ttl": "2h"},
    ),
)
CLAIM = Claim(
    uid=OURS.uid,
    pool="batch",
    owner="ann's laptop",
    role=Role.CONTROL_PLANE,
    phase=Phase.BOOTSTRAPPING,
    epoch=OURS.epoch,
    since="2026-11-24T22:00:00+00:00",
    server="r1u04",
    machine_id="feedc0de",
    session=OURS.session,
)
FOREIGN = replace(CLAIM, uid="f0e1d2c3", pool="other", owner="bob@ci")
FAILURE = Failure("2026-11-24T22:00:00+00:00", "join", "batch", "kubeadm join failed (exit 1)")
RECORD = Record(
    uid=OURS.uid,
    change="0badf00d",
    generation=3,
    session=2,
    settled=SPEC,
    wanted=replace(SPEC, cores=64),
    members={"r1u04": Member(Role.CONTROL_PLANE, "10.0.1.4", "rack1", 16, 64)},
)

ACTIONS: tuple[Action, ...] = (
    act.TakeClaim("r1u04", CLAIM),
    act.NoteFailure("r1u04", OURS.uid, FAILURE),
    act.SetPhase("r1u04", OURS, Phase.MEMBER),
    act.Prepare("r1u04", OURS, "1.36.3", SPEC.kubeadm, "flannel", 16, 64),
    act.Init("r1u04", OURS, NODE, SPEC, SECRETS),
    act.AdmitJoiners("r1u04", OURS, SECRETS),
    act.Join("r1u04", OURS, NODE, SPEC, SECRETS, control_plane=True, through="r1u05"),
    act.Join("r1u04", OURS, NODE, SPEC, SECRETS, control_plane=False, through="r1u05"),
    act.RevokeJoiners("r1u04", OURS, SECRETS),
    act.ApplyNetwork("r1u04", OURS, "10.77.0.0/16", "flannel", "10.0.1.200:6443"),
    act.ApplyMetalLB("r1u04", OURS, {"default": ("10.0.1.210-10.0.1.230",)}),
    act.ConfigureMetalLB("r1u04", OURS, {"default": ("10.0.1.210-10.0.1.230",)}),
    act.WriteRecord("r1u04", OURS, RECORD, "00c0ffee"),
    act.AwaitReady("r1u04", ("r1u04",)),
    act.RemoveMetalLB("r1u04", OURS),
    act.Drain("r1u04", OURS, ("r1u04", "r1u05"), 60, act.Budgets.IGNORED),
    act.StepDown("r1u04", OURS),
    act.RemoveEtcdMember("r1u04", OURS, "r1u05", "8e9e05c52164694d"),
    act.Uncordon("r1u04", OURS, "r1u09"),
    act.SpreadDns("r1u04", OURS),
    act.RestartKubelet("r1u04", OURS),
    act.Mend("r1u04", OURS),
    act.RecoverEtcd("r1u04", OURS),
    act.SetNode(
        "r1u04",
        OURS,
        "r1u09",
        NodeSpec({"old": "x"}, (Taint("gone", "", "NoExecute"),)),
        NodeSpec({"accelerator": "h100"}, (Taint("gpu", "true", "NoSchedule"),)),
    ),
    act.DeleteNode("r1u04", OURS, "r1u05"),
    act.Reset("r1u04", OURS, "10.0.1.200"),
    act.AppendJournal("r1u04", OURS, ('{"step": "it\'s one"}', '{"step": "two"}')),
)


def site(
    node: Server = NODE, key: str = "", user: str = "root", mirrors: Mirrors | None = None
) -> SiteConfig:
    """A site of one server."""
    ssh = Ssh(Secret(key), user=user, connect_timeout_seconds=5)
    return SiteConfig(Fleet({node.name: node}), ssh, mirrors or Mirrors())


def scripted() -> tuple[Action, ...]:
    """The actions that are a script."""
    return tuple(action for action in ACTIONS if not isinstance(action, act.Prepare))


def changing() -> tuple[Action, ...]:
    """The actions that are a script and change something."""
    return tuple(action for action in scripted() if not isinstance(action, act.AwaitReady))


def owning() -> tuple[Action, ...]:
    """The changing actions that are meant for one life of a server in its cluster."""
    return tuple(action for action in changing() if not isinstance(action, act.NoteFailure))


def named(action: Action) -> str:
    """A test's id."""
    return type(action).__name__
