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
_OFF_AND_LOST = "Or take its power off, mark it lost = true in the fleet, and apply."
_OTHER_NAME = "Or choose another name."
_OTHER_SERVER = "Or name another server in this rpool_node."


@unique
class Do(Enum):
    """One piece of advice: the alternatives, any one of which is enough."""

    # -- trying again is enough --------------------------------------------------------------------
    AGAIN = ("Try again.",)
    APPLY_AGAIN = ("Apply again: that mends it.",)
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
    MEND_DISK = ("Mend that, and apply.", "Or install it anew, and apply.", _OFF_AND_LOST)
    RELEASE = ("rpool release {server} --claim {uid} wipes it, once no cluster counts on it.",)
    LIFT = ("Once what was wrong is put right: rpool release {server}",)
    MAKE_READY = (
        (
            "See why: on {server}, journalctl -u kubelet -u containerd; of the CNI, kubectl get "
            "pods -A -o wide --field-selector spec.nodeName={server}. Mend that, and apply."
        ),
        "Or mark it retire = true in the fleet (or remove its rpool_node), and apply: it leaves.",
    )
    LET_GO = (
        "Lower cores and memory, mark it retire = true, or remove its rpool_node, and apply.",
        f"Or, if no state has the cluster any more: {_IMPORT_AND_DESTROY}",
    )
    RENEW = (
        (
            "On each control plane, one after the other: kubeadm certs renew all; then move what "
            "is in /etc/kubernetes/manifests out for 20 s, and back, so that all of it starts anew."
        ),
    )
    REPAIR = (
        "Apply that.",
        "Or bring {servers} back, and plan again: nothing is done to one that is well.",
    )
    LIFT_BRAKE = (
        "Bring {servers} back, or all but repair.max_lost of them, and apply.",
        "Or mark those whose hardware is gone lost = true in the fleet, and apply.",
        "Or raise repair.max_lost, apply, and apply again: that repairs them.",
    )
    REACH_SITE = (
        "See to the network, the VPN and the SSH key of this machine, and plan again.",
        "Or plan with -refresh=false, by what was known before.",
    )
    WITHOUT_KUBECONFIG = ("Mend or destroy the cluster without it: -target=rpool_cluster.NAME",)
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
            "Or, where most are gone for good and off, mark these lost = true in the fleet, and "
            "set control_plane.recover_from to one that answers: etcd is made anew from its data."
        ),
        "Or, if they are gone, mark them lost = true in the fleet, and destroy the cluster.",
    )
    GIVE_NODE_UP = (
        _BRING_API_BACK,
        "Or, if all of these are gone, mark them lost = true in the fleet, and try again.",
        "Or terraform state rm this rpool_node, and destroy its cluster: that gives both back.",
    )
    FIND_API = (
        "Bring its control planes back.",
        "Or put their entries into the fleet, if it lacks them.",
        "Or, if its record alone is gone, apply the rpool_cluster that made it.",
        (
            "Or, if its control planes and all that was not reached are gone, mark them lost = "
            "true in the fleet; then terraform import rpool_cluster.NAME {uid}, and destroy that."
        ),
    )

    # -- an entry in the fleet ---------------------------------------------------------------------
    PUT_ENTRY_BACK = (
        "Put the entry back into the provider's fleet, and try again.",
        "Or, if the hardware is gone, put it back with lost = true.",
        "Or, to let it go, put it back with retire = true, apply, and remove it then.",
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
            "Or, to give a server another address, let it leave first (retire = true, and apply; "
            "of an rpool_node, remove that), and then change it."
        ),
    )
    UNMARK = ("If it is to stay, take lost = true out of its entry in the fleet, and plan again.",)
    UNRESERVE = (
        "Take reserved out of its entry, and try again.",
        "Or plan again: it is not picked then.",
    )
    SAME_TRUST = (
        (
            "Give it the trust of the cluster in the fleet, and try again. If it has served in "
            "another domain, install it anew first."
        ),
        _OTHER_SERVER,
    )
    NEW_HOST_KEY = (
        (
            "If you have installed {servers} anew, put the new host_key into the fleet, and try "
            "again. If not, something else may pose as it: see what answers at its address."
        ),
    )

    # -- what is on a server -----------------------------------------------------------------------
    CLEAN = ("Clean it, and rpool may take it.",)
    WIPE = ("Wipe it before you remove that mark.",)
    REINSTALL = (
        (
            "Purge these packages there (apt-get purge --allow-change-held-packages PACKAGE), and "
            "try again: the next cluster's preparation installs what it needs."
        ),
        (
            "Or, where apt has their repository, install them again (apt-get install --reinstall "
            "--allow-change-held-packages PACKAGE), and try again."
        ),
        "Or, if that is meant, tell dpkg of your own files (dpkg-divert), and try again.",
    )
    LOOK_AROUND = (
        "Look at that, and remove what nobody meant: the next claim takes it for the server's own.",
        "Or install the server anew.",
    )
    FREE = ("Have {server} given back, cleaned or installed anew, and try again.", _OTHER_SERVER)
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
        "Or let it go: mark it retire = true in the fleet, or remove its rpool_node, and apply.",
    )
    FALSE_CLAIM = (
        (
            "Compare with ca_pin in the cluster's state, and look who is on the others: their "
            "claims (/var/lib/rpool/claim) are false. Give them a new system."
        ),
        "Meanwhile, an rpool_node works with cluster_ca_pin set.",
    )
    PUT_CA_KEY_BACK = (
        "If it is a control plane, put /etc/kubernetes/pki/ca.key back from another one.",
    )
    PUT_RIGHT = (
        "Put that right there, and try again.",
        "Or mark what shall stay as it is reserved = true in the fleet, and plan again.",
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
        "Let the budget allow it (more copies elsewhere), or kubectl delete pdb, and try again.",
        (
            'Or set on_timeout = "evict_anyway" or a longer timeout in the drain block of its '
            "rpool_cluster, terraform apply -target=rpool_cluster.NAME, and try again."
        ),
    )
    SET_BACK = (
        "Set it back{to}.",
        (
            "To build the cluster anew instead, with the loss of all that runs in it: terraform "
            "destroy -refresh=false -target=ADDRESS; then apply."
        ),
    )
    UNPROTECT = (
        "If that is meant, set deletion_protection = false and apply that first.",
        "If it is tainted, terraform untaint lets an apply mend it instead.",
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
            "Or, if nobody wants it, mark those of its servers that do not answer lost = true; "
            "then rpool release SERVER --claim {uid}, for each that answers."
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
        "Or, if that cluster gives it up in this apply, apply again; an exchange takes two.",
        f"Or, if that cluster is gone for good, {_MARK_AND_DESTROY}",
    )
    GIVE_BACK = (_GIVE_BACK,)
    GIVE_DEAD_BACK = (f"To give its servers back: {_MARK_AND_DESTROY}",)
    REPLACE_REMAINS = (_GIVE_BACK, "Or apply it: it is made anew.")
    CALL_BY_UID = ("Ask for one by its uid.",)

    # -- an rpool_node -----------------------------------------------------------------------------
    NODE_FIRST = (
        "Destroy that first: without its cluster nobody could take it out in order.",
        "If no state has it: terraform import rpool_node.NAME {uid}/{server}, and destroy that.",
        "Where a budget keeps a pod there: kubectl delete pdb. Its pods go with the cluster.",
    )
    IMPORT_NODE = (
        "To rename an rpool_node, use a moved block; create_before_destroy cannot work for it.",
        "If no state has it: terraform import rpool_node.NAME {uid}/{server}.",
    )
    RETIRE_THEN_RESERVE = (
        (
            "Mark it retire = true and apply: the cluster lets it go. Then mark it reserved = true "
            "instead, and apply again."
        ),
    )
    PUT_IN_AGAIN = (
        "Apply: that puts it in again.",
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
        "Remove it to begin anew: all modelled servers are then as new, and their clusters gone.",
    )

    def __init__(self, *ways: str) -> None:
        self.ways = ways

    def text(self, **words: str) -> str:
        """The sentences, with `words` filled into their placeholders."""
        return " ".join(self.ways).format(**words)
