"""Actions as scripts, by pure functions: the variables of each, and the files that carry it out.

The `match` is closed, so a new action cannot be forgotten.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import assert_never

from rpool.errors import Bug
from rpool.model import action as act
from rpool.model.action import Action, Guarded
from rpool.model.claim import Ownership
from rpool.model.pool import PoolSpec
from rpool.model.seen import LEAVING_MARK, UNANNOUNCED, UNANNOUNCED_BY_US
from rpool.model.server import Role, ServerName
from rpool.model.site import SiteConfig
from rpool.model.trust import mark
from rpool.reach import api_server, cni, documents, kubeadm, vip
from rpool.reach.manifests import METALLB, Manifest
from rpool.reach.script import compose

Variables = dict[str, str]

LEAVING = {
    "LEAVING": LEAVING_MARK,
    "UNANNOUNCED": UNANNOUNCED,
    "UNANNOUNCED_BY_US": UNANNOUNCED_BY_US,
}


RUNTIME_SECONDS = 20
"""For a stopped container runtime: one that stays away longer does not come back by itself."""


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


TOKENS = {
    "TOKENS_PATH": documents.TOKENS_PATH,
    "OUR_DESCRIPTION": _base64(kubeadm.DESCRIPTION),
    "TIMER_DESCRIPTION": _base64(kubeadm.TIMER_DESCRIPTION),
}
"""Variables that tell our bootstrap tokens from a cluster's other ones."""


def render(action: Action, site: SiteConfig, timeout_seconds: float) -> str:
    """The script that carries out `action`; it ends itself a little before `timeout_seconds`."""
    common = {"TIMEOUT_SECONDS": str(math.ceil(timeout_seconds)), "DOING": action.doing}
    match action:
        case act.TakeClaim():
            text = json.dumps(action.claim.as_dict(), indent=1)
            texts = {"CLAIM_TEXT": text, "MARK_TEXT": mark(action.claim.trust)}
            owned = common | guarded(action.server, action.claim.ownership)
            return compose(
                ("library", "traces", "guard", "footholds", "claim"),
                {**owned, **_over(action.over), **cni.TRACES, **texts},
            )
        case act.NoteFailure():
            line = action.failure.as_line() if action.failure else ""
            return compose(
                ("library", "guard", "failed"),
                {
                    **common,
                    "CLAIM_UID": action.uid,
                    "SERVER_NAME": action.server,
                    "SESSION": str(action.session),
                    "NOTE_TEXT": line,
                },
            )
        case act.AwaitReady():
            servers = site.fleet.servers
            nodes = " ".join(f"{name}={servers[name].address}" for name in action.nodes)
            variables = common | _node(site, action.server) | {"NODES": nodes}
            return compose(("library", "approve", "await-ready"), variables)
        case act.Prepare():
            raise Bug("preparation is not a script: it is Ansible's")
        case _:
            parts, variables = _parts(action, site)
            owned = common | guarded(action.server, action.ownership)
            owned |= {"GUARD": action.guard.value}
            return compose(("library", "guard", *parts), owned | variables)


def _over(ownership: Ownership | None) -> Variables:
    if ownership is None:
        return {"OVER_UID": "", "OVER_EPOCH": ""}
    return {"OVER_UID": ownership.uid, "OVER_EPOCH": str(ownership.epoch)}


def _parts(action: Guarded, site: SiteConfig) -> tuple[tuple[str, ...], Variables]:
    """The files with the action's `act`, and their variables."""
    node = _node(site, action.server)
    match action:
        case act.SetPhase():
            return ("phase",), {"PHASE": action.phase.value}
        case act.AppendJournal():
            return ("journal",), {"LINES_TEXT": "\n".join(action.lines)}
        case act.Init():
            return ("traces", "membership", "init"), (
                node | cni.TRACES | _control_plane(action.spec, node) | _init(action)
            )
        case act.Join():
            extra = _control_plane(action.spec, node) if action.control_plane else {}
            return ("traces", "membership", "join"), node | cni.TRACES | extra | _join(action)
        case act.Reset():
            parts = ("traces", "clean", "footholds", "compare", "unprepare", "reset")
            return parts, {"VIP": action.vip or "", **cni.TRACES}
        case act.AdmitJoiners():
            return ("admit",), node | _admit(action, site)
        case act.RevokeJoiners():
            return ("revoke",), node | _revoke(action)
        case act.ApplyNetwork():
            install = cni.installed(action.cni)
            host, _, port = action.api.rpartition(":")
            facts = {"POD_CIDR": action.pod_cidr, "API_HOST": host, "API_PORT": port}
            return ("fetch", f"cni/{install.script}", "network"), (
                node | _manifest(install.manifest, site) | facts
            )
        case act.ApplyMetalLB():
            return ("fetch", "pools", "metallb"), (
                node | _manifest(METALLB, site) | _pools(action.pools)
            )
        case act.ConfigureMetalLB():
            return ("pools", "metallb-pools"), node | _pools(action.pools)
        case act.WriteRecord():
            text = documents.record(action.record)
            changes = {"CHANGE": action.record.change, "OVER": action.over}
            return ("record",), node | changes | {"RECORD": text}
        case act.RemoveMetalLB():
            return ("fetch", "metallb-remove"), node | _manifest(METALLB, site)
        case act.Drain():
            return ("leaving", "drain"), node | _drain(action)
        case act.Uncordon():
            return ("leaving", "uncordon"), node | {"NODE": action.node, **LEAVING}
        case act.SpreadDns():
            return ("spread-dns",), node | {"DNS_PATH": documents.DNS_PATH}
        case act.RestartKubelet():
            return ("restart-kubelet",), {}
        case act.Mend():
            return ("mend",), node
        case act.StepDown():
            extra = {"ETCD": "etcd" if action.etcd else "", "RUNTIME_SECONDS": str(RUNTIME_SECONDS)}
            return ("membership", "step-down"), node | extra
        case act.RecoverEtcd():
            return ("etcd", "recover-etcd"), node
        case act.RemoveEtcdMember():
            return ("etcd", "etcd-remove"), node | _etcd_member(action)
        case act.SetNode():
            return ("set-node",), node | _set_node(action)
        case act.DeleteNode():
            return ("delete-node",), node | {"LEFT": action.node}
        case _:
            assert_never(action)


def guarded(server: ServerName, ownership: Ownership) -> Variables:
    """Variables that the guard compares with the server's claim (see scripts/guard.sh)."""
    return {
        "CLAIM_UID": ownership.uid,
        "CLAIM_EPOCH": str(ownership.epoch),
        "SERVER_NAME": server,
        "SESSION": str(ownership.session),
    }


def _node(site: SiteConfig, name: ServerName) -> Variables:
    address = site.fleet.servers[name].address
    return {
        "NODE_NAME": name,
        "NODE_ADDRESS": address,
        "NODE_HOST": kubeadm.url_host(address),
    }


def _vip(spec_vip: str | None) -> Variables:
    return {"VIP": spec_vip or "", "VIP_POD": vip.pod(spec_vip) if spec_vip else ""}


def _control_plane(spec: PoolSpec, node: Variables) -> Variables:
    return {
        **api_server.files(spec),
        "VIP_USER": vip.USER,
        "APPROVER_TEXT": compose(("library", "approve", "approver"), node),
    }


def _init(action: act.Init) -> Variables:
    return {
        "ROLE": Role.CONTROL_PLANE.value,
        "KUBEADM_CONFIG": kubeadm.stream(kubeadm.init(action)),
        "VIP_RIGHTS": vip.rights(),
        "CERTIFICATES": "yes" if action.spec.control_plane.servers > 1 else "no",
        **_vip(action.spec.control_plane.endpoint.vip),
    }


def _join(action: act.Join) -> Variables:
    return {
        "ROLE": (Role.CONTROL_PLANE if action.control_plane else Role.WORKER).value,
        "KUBEADM_CONFIG": kubeadm.stream(kubeadm.join(action)),
        "ENCRYPTION": action.secrets.encryption.reveal(),
        "LASTING_LABELS": kubeadm.node_labels(action.node),
        **_vip(action.spec.control_plane.endpoint.vip),
    }


def _admit(action: act.AdmitJoiners, site: SiteConfig) -> Variables:
    node = site.fleet.servers[action.server]
    return {
        "KUBEADM_CONFIG": kubeadm.stream(kubeadm.upload_certs(action, node)),
        "CERTIFICATES": "yes" if action.control_plane else "no",
        "TOKEN_SECRET": kubeadm.stream([kubeadm.token_secret(action.secrets)]),
        "TOKEN_MINUTES": str(kubeadm.TOKEN_MINUTES),
    }


def _revoke(action: act.RevokeJoiners) -> Variables:
    return {"TOKEN_ID": kubeadm.token_id(action.secrets.token), **TOKENS}


def _drain(action: act.Drain) -> Variables:
    return {
        "NODES": " ".join(action.nodes),
        "DRAIN_SECONDS": str(max(1, action.timeout_seconds)),  # kubectl takes 0 as no limit
        "BUDGETS": action.budgets.value,
        **LEAVING,
    }


def _etcd_member(action: act.RemoveEtcdMember) -> Variables:
    if not action.member_id:
        raise Bug(f"{action.member} was to leave etcd before anybody looked at etcd's members")
    return {"MEMBER": action.member, "MEMBER_ID": action.member_id}


def _pools(pools: Mapping[str, tuple[str, ...]]) -> Variables:
    return {"POOLS": documents.metallb(pools), "POOL_NAMES": " ".join(sorted(pools))}


def _manifest(manifest: Manifest, site: SiteConfig) -> Variables:
    return {"MANIFEST_URL": manifest.url(site.mirrors), "MANIFEST_SHA256": manifest.sha256}


def _set_node(action: act.SetNode) -> Variables:
    current, wanted = action.was, action.wanted
    removed = sorted(current.labels.keys() - wanted.labels.keys())
    kept_taints = {(taint.key, taint.effect) for taint in wanted.taints}
    return {
        "NODE": action.node,
        "LABELS": " ".join(
            [*(f"{k}={v}" for k, v in sorted(wanted.labels.items())), *(f"{k}-" for k in removed)]
        ),
        "TAINTS": " ".join(f"{t.key}={t.value}:{t.effect}" for t in wanted.taints),
        "GONE_TAINTS": " ".join(
            f"{t.key}:{t.effect}" for t in current.taints if (t.key, t.effect) not in kept_taints
        ),
    }
