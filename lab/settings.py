"""The values with which a Terraform configuration uses a lab as its site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.cache import write
from lab.site import machines, mirrors
from lab.site.layout import Lab
from lab.site.servers import as_yaml

VIPS = range(200, 210)
LOAD_BALANCER_RANGE = (220, 250)

# Needed on a machine with version 1 control groups and a kernel without modules, not on hardware
# with a Debian of its own. JSON is YAML.
KUBEADM = {
    "kubelet": json.dumps(
        {
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "localStorageCapacityIsolation": False,
        }
    ),
    "kube_proxy": json.dumps({"mode": "nftables", "conntrack": {"maxPerCore": 0, "min": 0}}),
    "ignore_preflight_errors": ["SystemVerification"],
}


def site(lab: Lab) -> dict[str, Any]:
    """The site's facts: key, mirrors, free addresses, and what its servers want of kubeadm."""
    first, last = LOAD_BALANCER_RANGE
    return {
        "kubernetes": lab.kubernetes,
        "key_file": str(lab.key),
        "mirrors": mirrors.addresses(lab),
        "vips": [f"{lab.network}.{host}" for host in VIPS],
        "lb_range": f"{lab.network}.{first}-{lab.network}.{last}",
        "kubeadm": KUBEADM,
    }


def fleet(lab: Lab) -> str:
    """The fleet as YAML, host keys and sizes included."""
    keys = {server.name: machines.host_key(lab, server) for server in lab.fleet}
    return as_yaml(lab.fleet, keys)


def write_variables(lab: Lab, folder: Path) -> None:
    """Write fleet.yaml, lab.auto.tfvars.json and site.yaml into a folder with the example.

    site.yaml says to the command rpool what the variables say to Terraform.
    """
    facts = site(lab)
    write(folder / "fleet.yaml", fleet(lab))
    write(
        folder / "site.yaml",
        f"fleet_file: fleet.yaml\nssh: {{user: root, private_key_file: {facts['key_file']}}}\n"
        f"mirrors: {json.dumps(facts['mirrors'])}\n",
    )
    variables = {
        "fleet_file": "fleet.yaml",
        "ssh_key_file": facts["key_file"],
        "mirrors": facts["mirrors"],
        "kubernetes_version": lab.kubernetes,
        "api_vip": facts["vips"][0],
        "service_addresses": [facts["lb_range"]],
        "kubeadm": KUBEADM,
    }
    write(folder / "lab.auto.tfvars.json", json.dumps(variables, indent=2) + "\n")
