"""What an entry asks of objects of the API and of files that it reads: a function each.

Each returns why the entry does not hold; empty when it does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from benchmark.facts import Facts, Object
from benchmark.pods import PLAIN, was_admitted

KUBERNETES_OWN = ("kubernetes.io/bootstrapping", "rbac-defaults")
ADMINS = "kubeadm:cluster-admins"  # kubeadm's own binding, of admin.conf
ENFORCERS = ("antrea-agent", "calico-node", "cilium", "kube-network-policies", "kube-router")
STRONG = ("aescbc", "kms", "secretbox")
NOTED = {
    *("secrets", "configmaps", "serviceaccounts/token", "tokenreviews"),
    *("pods", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy", "deployments"),
    *("roles", "rolebindings", "clusterroles", "clusterrolebindings", "*"),
}


def granted(
    facts: Facts, verbs: Collection[str], resources: Collection[str], but: Collection[str] = ()
) -> str:
    """Bindings for all namespaces that grant one of these; Kubernetes' own are left out."""
    roles = {_name(role): role.get("rules") or [] for role in facts.of("ClusterRole")}
    bindings = facts.of("ClusterRoleBinding")
    if ADMINS not in map(_name, bindings):
        return "the bindings were not told"
    others = [
        binding
        for binding in bindings
        if not _is_own(binding) and _name(binding) not in (ADMINS, *but)
    ]
    names = [
        _name(binding)
        for binding in others
        if any(
            _grants(rule, verbs, resources) for rule in roles.get(binding["roleRef"]["name"], ())
        )
    ]
    return f"it is granted by {', '.join(names)}" if names else ""


def _grants(rule: Object, verbs: Collection[str], resources: Collection[str]) -> bool:
    """A wildcard grants whatever is asked for."""
    granted_on = rule.get("resources", ())
    return _meets(rule["verbs"], verbs) and _meets(granted_on, resources)


def _meets(given: Collection[str], asked: Collection[str]) -> bool:
    return "*" in given or not set(given).isdisjoint(asked)


def wildcards(facts: Facts, but: Collection[str] = ()) -> str:
    """Roles that have one; Kubernetes' own are left out."""
    roles = [*facts.of("ClusterRole"), *facts.of("Role")]
    if not roles:
        return "the roles were not told"
    others = [role for role in roles if not _is_own(role) and _name(role) not in but]
    return _listed(role for role in others if any(map(_is_wild, role.get("rules") or ())))


def _is_wild(rule: Object) -> bool:
    return any("*" in rule.get(key, ()) for key in ("apiGroups", "resources", "verbs"))


def secrets_are_encrypted(facts: Facts) -> str:
    """The first provider writes; those behind it only read."""
    first = next(iter(facts.providers), "nothing")
    return "" if first in STRONG else f"{first} encrypts"


def no_bootstrap_token(facts: Facts) -> str:
    if not facts.secrets:
        return "the Secrets were not told"  # MetalLB has two
    return "there is one" if "bootstrap.kubernetes.io/token" in facts.secrets else ""


def audit_leaves_out_nothing_of_note(facts: Facts) -> str:
    rules = facts.policy.get("rules") or [{}]
    unlogged = [rule for rule in rules if rule.get("level") == "None"]
    if set(rules[-1]) != {"level"} or rules[-1]["level"] == "None":
        return "its last rule is not about all that is left"
    for rule in unlogged:
        if not _resources(rule) and not rule.get("nonResourceURLs"):
            return f"{rule} leaves out too much"
    missing = {name for rule in unlogged for name in _resources(rule)} & NOTED
    return f"it leaves out {', '.join(sorted(missing))}" if missing else ""


def _resources(rule: Object) -> set[str]:
    return {name for group in rule.get("resources", ()) for name in group.get("resources", "*")}


def default_accounts_give_no_token(facts: Facts) -> str:
    accounts = [account for account in facts.of("ServiceAccount") if _name(account) == "default"]
    if not accounts:
        return "the accounts were not told"
    return _listed(
        account for account in accounts if account.get("automountServiceAccountToken") is not False
    )


def no_right_of_a_default_account(facts: Facts) -> str:
    accounts = _accounts_with_rights(facts)
    if not accounts:
        return "the bindings were not told"
    namespaces = sorted(namespace for namespace, name in accounts if name == "default")
    return f"one of {', '.join(namespaces)} has" if namespaces else ""


def tokens_have_rights(facts: Facts) -> str:
    pods = facts.of("Pod")
    if not pods:
        return "the pods were not told"
    accounts = _accounts_with_rights(facts)
    return _listed(pod for pod in pods if _mounts(pod, facts) and _account(pod) not in accounts)


def _account(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName", "")


def _mounts(pod: Object, facts: Facts) -> bool:
    """A static pod has no account. A pod's word counts more than its account's."""
    namespace, name = _account(pod)
    if not name:
        return False
    silent = {(namespace, name)} <= {
        (account["metadata"]["namespace"], _name(account))
        for account in facts.of("ServiceAccount")
        if account.get("automountServiceAccountToken") is False
    }
    return bool(pod["spec"].get("automountServiceAccountToken", not silent))


def _accounts_with_rights(facts: Facts) -> set[tuple[str, str]]:
    return {
        (subject["namespace"], subject["name"])
        for binding in (*facts.of("ClusterRoleBinding"), *facts.of("RoleBinding"))
        for subject in binding.get("subjects") or ()
        if subject["kind"] == "ServiceAccount"
    }


def pod_security_decides(facts: Facts) -> str:
    if not was_admitted(PLAIN, facts):
        return "not even a plain pod is admitted"
    return "" if "violates PodSecurity" in "".join(facts.admission) else "it refuses nothing"


def network_policies_are_enforced(facts: Facts) -> str:
    enforcers = [pod for pod in facts.of("Pod") if _name(pod).startswith(ENFORCERS)]
    return "" if enforcers else f"there is none of {', '.join(ENFORCERS)}"


def each_namespace_has_a_network_policy(facts: Facts) -> str:
    covered = {policy["metadata"]["namespace"] for policy in facts.of("NetworkPolicy")}
    namespaces = facts.of("Namespace")
    if not namespaces:
        return "the namespaces were not told"
    return _listed(namespace for namespace in namespaces if _name(namespace) not in covered)


def no_secret_is_in_an_environment(facts: Facts) -> str:
    pods = facts.of("Pod")
    if not pods:
        return "the pods were not told"
    return _listed(
        pod for pod in pods if any(_has_secret(container) for container in _containers(pod))
    )


def _containers(pod: Object) -> Iterator[Object]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod["spec"].get(key) or ()


def _has_secret(container: Object) -> bool:
    sources = [variable.get("valueFrom") or {} for variable in container.get("env") or ()]
    if any("secretKeyRef" in source for source in sources):
        return True
    return any("secretRef" in source for source in container.get("envFrom") or ())


def the_default_namespace_is_empty(facts: Facts) -> str:
    if not facts.of("Pod"):
        return "the pods were not told"
    objects = [*facts.of("Pod"), *facts.of("Service")]
    found = [item for item in objects if item["metadata"]["namespace"] == "default"]
    return _listed(item for item in found if _name(item) != "kubernetes")


def _name(item: Object) -> str:
    return str(item["metadata"]["name"])


def _is_own(item: Object) -> bool:
    """Whether Kubernetes itself makes it, in any cluster."""
    key, value = KUBERNETES_OWN
    return bool(item["metadata"].get("labels", {}).get(key) == value)


def _listed(items: Any) -> str:
    """Each by its namespace, if it has one, and its name."""
    names = (
        "/".join(filter(None, (item["metadata"].get("namespace"), _name(item)))) for item in items
    )
    return ", ".join(names)


RULES: Mapping[str, Callable[[Facts], str]] = {
    rule.__name__: rule
    for rule in (
        secrets_are_encrypted,
        no_bootstrap_token,
        audit_leaves_out_nothing_of_note,
        default_accounts_give_no_token,
        no_right_of_a_default_account,
        tokens_have_rights,
        pod_security_decides,
        network_policies_are_enforced,
        each_namespace_has_a_network_policy,
        no_secret_is_in_an_environment,
        the_default_namespace_is_empty,
    )
}
