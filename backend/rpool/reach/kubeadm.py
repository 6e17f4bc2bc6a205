"""kubeadm's configuration (v1beta4) as documents, by pure functions of a cluster's spec.

Documents go to the server as JSON, which is YAML, on standard input: they hold the bootstrap token
and the certificate key. `kubeadm` on the server reads them from a file in memory.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rpool.errors import Bug
from rpool.model.action import AdmitJoiners, Init, Join, JoinSecrets
from rpool.model.pool import PoolSpec, Taint
from rpool.model.secret import Secret
from rpool.model.server import Server
from rpool.reach import api_server
from rpool.reach.api_server import CIPHERS
from rpool.user_settings import settings

API = "kubeadm.k8s.io/v1beta4"
TOKEN_MINUTES = 30
DESCRIPTION = "rpool: lets servers join for some minutes"
TIMER_DESCRIPTION = "Proxy for managing TTL for the kubeadm-certs secret"  # kubeadm's own words

Document = Mapping[str, Any]

NO_LABELS: Mapping[str, str] = MappingProxyType({})

ENDED_PODS = 1000
"""So many ended pods are kept for inspection; kubeadm's default is 12,500."""

HARDENED: Document = {
    "podPidsLimit": 4096,
    "seccompDefault": True,
    "serverTLSBootstrap": True,
    "tlsCipherSuites": CIPHERS,
}
"""Settings of every kubelet, unless the user sets others."""

PATIENCE: Document = {
    "kubernetesAPICall": "5m0s",
    "controlPlaneComponentHealthCheck": "8m0s",
    "kubeletHealthCheck": "8m0s",
    "tlsBootstrap": "8m0s",
}
"""kubeadm's own deadlines, some of them a minute, fail a server that is merely slow. Our deadline
for the whole action ends what hangs."""


def stream(documents: Sequence[Document]) -> str:
    """Documents as one YAML stream."""
    return "\n---\n".join(json.dumps(document, indent=1) for document in documents)


def init(action: Init) -> list[Document]:
    """The documents for `kubeadm init`. Without our token kubeadm makes one that lives a day."""
    return [
        {
            "apiVersion": API,
            "kind": "InitConfiguration",
            "bootstrapTokens": [_token(action.secrets.token)],
            "certificateKey": action.secrets.certificate_key.reveal(),
            "localAPIEndpoint": _local_endpoint(action.node),
            "nodeRegistration": _registration(action.node, action.spec)
            | _taints((), action.spec, control_plane=True),
            "timeouts": PATIENCE,
        },
        _cluster(action.spec),
        _kubelet(action.spec),
        _kube_proxy(action.spec),
    ]


def join(action: Join) -> list[Document]:
    """The documents for `kubeadm join`: the CA is pinned, so a false API is refused."""
    secrets, spec = action.secrets, action.spec
    if not secrets.ca_pin:
        raise Bug(f"{action.server} was to join without a pin of the cluster's CA")
    document = {
        "apiVersion": API,
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": spec.control_plane.endpoint.host_and_port,
                "token": secrets.token.reveal(),
                "caCertHashes": [secrets.ca_pin],
            }
        },
        "nodeRegistration": _registration(action.node, spec, action.labels)
        | _taints(action.taints, spec, control_plane=action.control_plane),
        "timeouts": PATIENCE,
    }
    if action.control_plane:
        document["controlPlane"] = {
            "localAPIEndpoint": _local_endpoint(action.node),
            "certificateKey": secrets.certificate_key.reveal(),
        }
    return [document]


def upload_certs(action: AdmitJoiners, node: Server) -> list[Document]:
    """The documents for `kubeadm init phase upload-certs`. The server fills in @VERSION@, that of
    its own kubeadm: without one, kubeadm asks the Internet.
    """
    return [
        {
            "apiVersion": API,
            "kind": "InitConfiguration",
            "certificateKey": action.secrets.certificate_key.reveal(),
            "localAPIEndpoint": _local_endpoint(node),
            "nodeRegistration": {"name": node.name},
        },
        {"apiVersion": API, "kind": "ClusterConfiguration", "kubernetesVersion": "@VERSION@"},
    ]


def token_secret(secrets: JoinSecrets) -> Document:
    """The Secret of the bootstrap token; the server fills in @EXPIRES@ by its own clock."""
    token_id, _, token_secret = secrets.token.reveal().partition(".")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": f"bootstrap-token-{token_id}", "namespace": "kube-system"},
        "stringData": {
            "token-id": token_id,
            "token-secret": token_secret,
            "description": DESCRIPTION,
            "expiration": "@EXPIRES@",
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        },
    }


def token_id(token: Secret) -> str:
    """The public half of a bootstrap token, which is in its Secret's name."""
    return token.reveal().partition(".")[0]


def url_host(address: str) -> str:
    """An address as the host of a URL: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def _token(token: Secret) -> Document:
    return {
        "token": token.reveal(),
        "ttl": f"{TOKEN_MINUTES}m0s",
        "description": DESCRIPTION,
        "usages": ["signing", "authentication"],
        "groups": ["system:bootstrappers:kubeadm:default-node-token"],
    }


def _local_endpoint(node: Server) -> Document:
    return {"advertiseAddress": node.address, "bindPort": 6443}


def node_labels(node: Server, labels: Mapping[str, str] = NO_LABELS) -> str:
    """The kubelet's `node-labels`: the node's zone, and `labels`."""
    zone = {"topology.kubernetes.io/zone": node.zone} if node.zone else {}
    return ",".join(
        f"{key}={value}" for key, value in (zone | dict(sorted(labels.items()))).items()
    )


def _registration(
    node: Server, spec: PoolSpec, labels: Mapping[str, str] = NO_LABELS
) -> dict[str, Any]:
    """kubeadm's nodeRegistration. The node has the server's name in the fleet, not its hostname."""
    arguments = [{"name": "node-ip", "value": node.address}]
    if labels_text := node_labels(node, labels):
        arguments.append({"name": "node-labels", "value": labels_text})
    return {
        "name": node.name,
        "kubeletExtraArgs": arguments,
        "ignorePreflightErrors": list(spec.kubeadm.ignore_preflight_errors),
    }


def _taints(taints: Sequence[Taint], spec: PoolSpec, *, control_plane: bool) -> dict[str, Any]:
    """The part of nodeRegistration with taints. Without one, kubeadm taints a control plane to keep
    workloads off; a schedulable control plane gets an empty list.
    """
    if not taints and not (control_plane and spec.control_plane.schedulable):
        return {}
    return {"taints": [{"key": t.key, "value": t.value, "effect": t.effect} for t in taints]}


def _cluster(spec: PoolSpec) -> Document:
    return {
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "clusterName": spec.name,
        "kubernetesVersion": f"v{spec.kubernetes_version.removeprefix('v')}",
        "controlPlaneEndpoint": spec.control_plane.endpoint.host_and_port,
        "networking": {
            "podSubnet": spec.networking.pod_cidr,
            "serviceSubnet": spec.networking.service_cidr,
        },
        "apiServer": {
            "certSANs": [_endpoint_host(spec), *spec.api_server.extra_sans],
            "extraArgs": _arguments(api_server.flags(spec)),
            "extraVolumes": api_server.volumes(),
        },
        "controllerManager": {
            "extraArgs": _arguments(
                {"profiling": "false", "terminated-pod-gc-threshold": str(ENDED_PODS)}
            )
        },
        "scheduler": {"extraArgs": _arguments({"profiling": "false"})},
    }


def _arguments(values: Mapping[str, str]) -> list[Document]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _endpoint_host(spec: PoolSpec) -> str:
    """The endpoint's name or address without port; certificates have IPv6 without brackets."""
    endpoint = spec.control_plane.endpoint
    if endpoint.vip is not None:
        return str(ipaddress.ip_address(endpoint.vip))
    return endpoint.host_and_port.rpartition(":")[0].strip("[]")


def _kubelet(spec: PoolSpec) -> Document:
    return {
        "cgroupDriver": "systemd",
        **HARDENED,
        **settings(spec.kubeadm.kubelet),
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
    }


def _kube_proxy(spec: PoolSpec) -> Document:
    return {
        **settings(spec.kubeadm.kube_proxy),
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
    }
