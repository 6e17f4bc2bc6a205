"""What a user is to do next about a site or a cluster in operation: all advice, in one table.

Errors and warnings end in one of these. `tests/unit/test_advice.py` tests each: it brings the
situation about, does what the text says, and checks that this helps. Advice about a value in the
configuration is not here, but where that value is checked.
"""

from __future__ import annotations

from enum import Enum, unique

_BRING_API_BACK = (
    "Bring its control planes back ({needed} of {count} have to answer), and try again."
)
_IMPORT_AND_DESTROY = "terraform import rpool_cluster.NAME {uid}, and destroy that."
_MARK_AND_DESTROY = f"mark {{servers}} lost = true in the fleet; then {_IMPORT_AND_DESTROY}"
_GIVE_BACK = f"To give its servers back: {_IMPORT_AND_DESTROY}"
_OFF_AND_LOST = "Or power it off, mark it lost = true in the fleet, and apply."
_OTHER_NAME = "Or choose another name."
_OTHER_SERVER = "Or name another server in this rpool_node."


@unique
class Do(Enum):
    """One piece of advice: the alternatives, any one of which is enough."""

    # -- trying again is enough --------------------------------------------------------------------
    AGAIN = ("Try again.",)
    APPLY_AGAIN = ("Apply again: that repairs it.",)
    PLAN_AGAIN = ("Plan again, with a refresh.",)
    WAIT = ("Wait until that has ended, and try again.",)
    RAISE_TIMEOUT = ("Raise it in the timeouts block, and try again.",)

    # -- a server does not answer ------------------------------------------------------------------
    BRING_BACK = (
        "Bring {servers} back, and try again.",
        "Or, where the hardware is gone, mark it lost = true in the fleet, and try again.",
    )
    MEND_MEMBERS = (
        "Bring {servers} back (power, network, sshd).",
        (
            "Or, where the hardware is gone, mark it lost = true in the fleet, and apply: another "
            "server takes its place."
        ),
    )
    MEND_NODES = (
        "Bring {servers} back (power, network, sshd).",
        (
            "Or, where the hardware is gone, mark it lost = true in the fleet, and name another "
            "server in its rpool_node, or remove that, and apply."
        ),
    )
    RESTART_KUBELET = ("On {servers}: systemctl restart kubelet; journalctl -u kubelet says why.",)
    MEND_DISK = ("Repair that, and apply.", "Or reinstall it, and apply.", _OFF_AND_LOST)
    RELEASE = ("rpool release {server} --claim {uid} wipes it, once no cluster counts on it.",)
    LIFT = ("Once the cause is fixed: rpool release {server}",)
    MAKE_READY = (
        (
            "Find out why: on {server}, journalctl -u kubelet -u containerd; for the CNI, kubectl "
            "get "
            "pods -A -o wide --field-selector spec.nodeName={server}. Fix that, and apply."
        ),
        "Or mark it retire = true in the fleet (or remove its rpool_node), and apply: it leaves.",
    )
    LET_GO = (
        "Lower cores and memory, mark it retire = true, or remove its rpool_node, and apply.",
        f"Or, if the cluster is no longer in any state: {_IMPORT_AND_DESTROY}",
    )
    RENEW = (
        (
            "On each control plane, one after the other: kubeadm certs renew all; then move the "
            "files in /etc/kubernetes/manifests away for 20 s, and back: that restarts them."
        ),
    )
    REPAIR = (
        "Apply that.",
        "Or bring {servers} back, and plan again: a healthy server is left as it is.",
    )
    LIFT_BRAKE = (
        "Bring {servers} back, or all but repair.max_lost of them, and apply.",
        "Or mark those whose hardware is gone lost = true in the fleet, and apply.",
        "Or raise repair.max_lost, apply, and apply again: that repairs them.",
    )
    REACH_SITE = (
        "Check the network, the VPN and the SSH key of this machine, and plan again.",
        "Or plan with -refresh=false, which uses the last known state.",
    )
    WITHOUT_KUBECONFIG = ("Repair or destroy the cluster without it: -target=rpool_cluster.NAME",)
    BRING_NODE_BACK = ("Bring {server} back, and try again.", _OTHER_SERVER)
    BRING_SPARES_BACK = (
        "Bring them back, and try again.",
        "Or lower cores and memory.",
        "Or add servers to the fleet.",
    )

    # -- a cluster's API does not answer -----------------------------------------------------------
    BRING_API_BACK = (
        _BRING_API_BACK,
        (
            "Or, where most are gone for good and powered off, mark these lost = true in the "
            "fleet, and "
            "set control_plane.recover_from to one that answers: etcd is rebuilt from its data."
        ),
        "Or, if they are gone, mark them lost = true in the fleet, and destroy the cluster.",
    )
    GIVE_NODE_UP = (
        _BRING_API_BACK,
        "Or, if all of these are gone, mark them lost = true in the fleet, and try again.",
        (
            "Or run terraform state rm on this rpool_node, and destroy its cluster: that gives "
            "both back."
        ),
    )
    FIND_API = (
        "Bring its control planes back.",
        "Or add their entries to the fleet, if they are missing.",
        "Or, if only its record is gone, apply the rpool_cluster that made it.",
        (
            "Or, if its control planes and all unreachable servers are gone, mark them lost = "
            "true in the fleet; then terraform import rpool_cluster.NAME {uid}, and destroy that."
        ),
    )

    # -- an entry in the fleet ---------------------------------------------------------------------
    PUT_ENTRY_BACK = (
        "Put the entry back into the provider's fleet, and try again.",
        "Or, if the hardware is gone, put it back with lost = true.",
        (
            "Or, to remove the server, put it back with retire = true, apply, and then remove the "
            "entry."
        ),
    )
    SIMULATE_AS_MANY = ("Or raise simulate.servers again.",)
    CORRECT_SIZE = ("Correct the size of {server} in the fleet, and plan again.",)
    CORRECT_ADDRESS = (
        "Correct the address and the host key of {server} in the fleet, and try again.",
    )
    OWN_ADDRESSES = ("Give each server of the fleet its own address again, and try again.",)
    OLD_ADDRESS = (
        "Put the old address back into the fleet.",
        (
            "Or, to change a server's address, take it out first (retire = true, and apply; for an "
            "rpool_node, remove that), and then change it."
        ),
    )
    UNMARK = ("To keep it, remove lost = true from its entry in the fleet, and plan again.",)
    UNRESERVE = (
        "Remove reserved from its entry, and try again.",
        "Or plan again: it is then not picked.",
    )
    SAME_TRUST = (
        (
            "Set its trust in the fleet to the cluster's, and try again. If it has served in "
            "another domain, reinstall it first."
        ),
        _OTHER_SERVER,
    )
    NEW_HOST_KEY = (
        (
            "If you have reinstalled {servers}, put the new host_key into the fleet, and try "
            "again. If not, another machine may pose as it: check what answers at its address."
        ),
    )

    # -- what is on a server -----------------------------------------------------------------------
    CLEAN = ("Clean it, and rpool can use it.",)
    WIPE = ("Wipe it before you remove lost = true.",)
    REINSTALL = (
        (
            "Purge these packages there (apt-get purge --allow-change-held-packages PACKAGE), and "
            "try again: the next cluster's preparation installs what it needs."
        ),
        (
            "Or, where apt has their repository, install them again (apt-get install --reinstall "
            "--allow-change-held-packages PACKAGE), and try again."
        ),
        "Or, if that is intended, register your own files with dpkg (dpkg-divert), and try again.",
    )
    LOOK_AROUND = (
        (
            "Check these, and remove what is not intended: the next claim takes them for the "
            "server's own."
        ),
        "Or reinstall the server.",
    )
    FREE = ("Have {server} given back, cleaned or reinstalled, and try again.", _OTHER_SERVER)
    PUT_CLAIM_BACK = (
        "Put the file back, and apply.",
        (
            "Or take the server out by hand (kubectl drain {server}; kubeadm reset there; kubectl "
            "delete node {server}), and apply."
        ),
    )
    PUT_MARK_BACK = (
        (
            "If it still serves its cluster, put /var/lib/rpool/joined back on {server}, with its "
            "role in it (control_plane or worker), and try again."
        ),
        "Or remove it: mark it retire = true in the fleet, or remove its rpool_node, and apply.",
    )
    FALSE_CLAIM = (
        (
            "Compare these with ca_pin in the cluster's state, and check who has access to the "
            "others: their claims (/var/lib/rpool/claim) are false. Reinstall them."
        ),
        "Meanwhile, an rpool_node works with cluster_ca_pin set.",
    )
    PUT_CA_KEY_BACK = (
        "If it is a control plane, put /etc/kubernetes/pki/ca.key back from another one.",
    )
    PUT_RIGHT = (
        "Fix that there, and try again.",
        (
            "Or mark servers that are to stay as they are reserved = true in the fleet, and plan "
            "again."
        ),
    )
    START_TIME_SERVICE = ("Run a time service on the servers.",)

    # -- the servers of a cluster ------------------------------------------------------------------
    MAKE_ROOM = ("Add servers to the fleet.", "Or lower cores and memory.")
    WIDEN = ("Or widen the selector.",)
    STOP_STRANGER = ("Stop etcd on that machine, and apply again.",)
    APPLY_CLUSTER = ("Apply its rpool_cluster first.",)
    DELETE_NODE = (
        "Bring {servers} back, and apply again.",
        "Or delete its Node (kubectl delete node {servers}), and apply again.",
    )
    LET_DRAIN = (
        "Make room in the budget (more replicas elsewhere), or kubectl delete pdb, and try again.",
        (
            'Or set on_timeout = "evict_anyway" or a longer timeout in the drain block of its '
            "rpool_cluster, terraform apply -target=rpool_cluster.NAME, and try again."
        ),
    )
    SET_BACK = (
        "Set it back{to}.",
        (
            "To rebuild the cluster instead, and lose all that runs in it: terraform "
            "destroy -refresh=false -target=ADDRESS; then apply."
        ),
    )
    UNPROTECT = (
        "If that is intended, set deletion_protection = false and apply that first.",
        "If it is tainted, terraform untaint lets an apply repair it instead.",
    )

    # -- clusters in no state, or in another -------------------------------------------------------
    IMPORT = (
        "If no state has it: terraform import rpool_cluster.NAME {uid}, and apply.",
        _OTHER_NAME,
    )
    IMPORT_SILENT = (
        "Bring its control planes back; then terraform import rpool_cluster.NAME {uid}.",
        f"Or, if they are gone, mark them lost = true in the fleet; then {_IMPORT_AND_DESTROY}",
        (
            "Or, if nobody needs it, mark its servers that do not answer lost = true; then rpool "
            "release SERVER --claim {uid}, for each that answers."
        ),
        _OTHER_NAME,
    )
    FINISH_CREATE = (
        "Ask them to give it back, and try again.",
        "Or, if it is yours, set owner = {owner} in the provider block, and try again.",
        "Or terraform import rpool_cluster.NAME {uid}, destroy that, and try again.",
    )
    OTHER_NAME = ("Choose another name.",)
    OTHER_ADDRESSES = (
        "Change what is the same, and apply again.",
        "Or, if that cluster gives it up in this apply, apply again; a swap takes two applies.",
        f"Or, if that cluster is gone for good, {_MARK_AND_DESTROY}",
    )
    GIVE_BACK = (_GIVE_BACK,)
    GIVE_DEAD_BACK = (f"To give its servers back: {_MARK_AND_DESTROY}",)
    REPLACE_REMAINS = (_GIVE_BACK, "Or apply its rpool_cluster: it is rebuilt.")
    CALL_BY_UID = ("Ask for one by its uid.",)

    # -- an rpool_node -----------------------------------------------------------------------------
    NODE_FIRST = (
        "Destroy that first: without its cluster it cannot leave in order.",
        "If no state has it: terraform import rpool_node.NAME {uid}/{server}, and destroy that.",
        "If a budget keeps a pod there: kubectl delete pdb. Its pods go with the cluster.",
    )
    IMPORT_NODE = (
        "To rename an rpool_node, use a moved block; create_before_destroy cannot work for it.",
        "If no state has it: terraform import rpool_node.NAME {uid}/{server}.",
    )
    RETIRE_THEN_RESERVE = (
        (
            "Mark it retire = true and apply: it leaves the cluster. Then mark it reserved = true "
            "instead, and apply again."
        ),
    )
    PUT_IN_AGAIN = (
        "Apply: it joins again.",
        "Or, to take it out instead, remove its rpool_node, and apply.",
    )
    REPLACE_NODE = (
        "Name another server in its rpool_node, and apply: that one takes its place.",
        "Or remove its rpool_node, and apply: that takes it out.",
    )
    TAKE_OUT = ("Remove its rpool_node, and apply: that takes it out.",)

    # -- rpool itself ------------------------------------------------------------------------------
    USE_NEWER = ("Use the newer version.",)
    REMOVE_FILE = (
        "Remove it to start over: all modelled servers are then new, and their clusters gone.",
    )

    def __init__(self, *ways: str) -> None:
        self.ways = ways

    def text(self, **words: str) -> str:
        """The sentences, with `words` filled into their placeholders."""
        return " ".join(self.ways).format(**words)
