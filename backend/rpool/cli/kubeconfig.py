"""`rpool kubeconfig`: access to a cluster, for kubectl and all that reads a kubeconfig."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpool.cli.options import add_cluster, add_json, add_site, as_json

if TYPE_CHECKING:
    from rpool.api import Site
    from rpool.model.access import Entrance, Identity

CONFIG = Path("~/.kube/config")
CACHE = Path("~/.kube/cache/rpool")


def add_to(commands: Any) -> None:
    """Add the command to argparse's `commands`."""
    about = "Print a kubeconfig for a cluster, with a short-lived client certificate."
    parser = commands.add_parser(
        "kubeconfig", help="print a kubeconfig for a cluster", description=about
    )
    add_cluster(parser)
    add_site(parser)
    parser.add_argument(
        "--user", metavar="NAME", help="user name in the cluster (default: rpool-you)"
    )
    parser.add_argument(
        "--group",
        action="append",
        metavar="GROUP",
        help="a group of the user; may be repeated (default: kubeadm:cluster-admins)",
    )
    parser.add_argument("--ttl", metavar="TIME", help="lifetime, 10m to 24h (default: 1h)")
    parser.add_argument(
        "--context", metavar="NAME", help="name of its entries (default: rpool-CLUSTER)"
    )
    parser.add_argument(
        "--merge",
        type=Path,
        nargs="?",
        const=CONFIG,
        metavar="FILE",
        help=f"add it to FILE ({CONFIG}) and keep the other entries; comments are lost",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--exec",
        action="store_true",
        help="use this command instead of a certificate: clients run it when one has expired",
    )
    how.add_argument(
        "--credential",
        action="store_true",
        help="print only the certificate, as an ExecCredential: this is what clients run",
    )
    add_json(parser)
    parser.set_defaults(act=_kubeconfig)


def _kubeconfig(arguments: argparse.Namespace) -> Iterator[str]:
    from rpool.cli.site_file import site_of

    config = {"user": arguments.user, "groups": arguments.group, "ttl": arguments.ttl}
    with closing(site_of(arguments.site)) as site:
        identity = site.identity(config)
        if arguments.credential:
            yield _credential(arguments, identity, site)
        else:
            yield from _document(arguments, identity, site)


def _credential(arguments: argparse.Namespace, identity: Identity, site: Site) -> str:
    from rpool.cli import credential_cache

    words = _words(arguments.site, arguments.cluster, identity)
    return credential_cache.kept(
        words,
        lambda: site.credential(site.entrance(arguments.cluster), identity),
        CACHE.expanduser(),
    )


def _document(arguments: argparse.Namespace, identity: Identity, site: Site) -> Iterator[str]:
    from rpool import kubeconfig
    from rpool.cli import kubeconfig_file
    from rpool.model import duration

    entrance = site.entrance(arguments.cluster)
    user, end = _user(arguments, identity, entrance, site)
    name = arguments.context or kubeconfig.context_name(entrance)
    document = kubeconfig.kubeconfig(name, entrance, user)
    if arguments.merge is None:
        text = as_json(document) if arguments.json else kubeconfig.text(document)
        yield text.rstrip("\n")
        return
    kubeconfig_file.merge(arguments.merge, document)
    if arguments.json:
        yield as_json(
            {
                "file": str(arguments.merge.expanduser()),
                "context": name,
                "cluster": entrance.name,
                "cluster_id": entrance.uid,
                "user": identity.user,
                "groups": list(identity.groups),
                "ends": end,
            }
        )
        return
    groups = f" ({', '.join(identity.groups)})" if identity.groups else ""
    renewed = f"with a certificate that is renewed by SSH every {duration.text(identity.seconds)}"
    until = f"until {end}" if end else renewed
    yield f"{arguments.merge} has {name}, as {identity.user}{groups}, {until}."
    yield f"To use it: kubectl --context {name} get nodes"


def _user(
    arguments: argparse.Namespace, identity: Identity, entrance: Entrance, site: Site
) -> tuple[Any, str | None]:
    """The user entry, and the end of its certificate; None where a command renews it."""
    from rpool import kubeconfig

    if arguments.exec:
        command = [sys.executable, "-m", "rpool", "kubeconfig"]
        words = _words(arguments.site, entrance.uid, identity)
        return kubeconfig.with_command([*command, *words, "--credential"]), None
    credential = site.credential(entrance, identity)
    return kubeconfig.with_certificate(credential), kubeconfig.end_of(credential)


def _words(site: Path, cluster: str, identity: Identity) -> list[str]:
    """The arguments that ask for the same again, from any folder."""
    from rpool.model import duration

    groups = [word for group in identity.groups for word in ("--group", group)]
    user = ["--user", identity.user, *groups, "--ttl", duration.text(identity.seconds)]
    return [cluster, "--site", str(site.resolve()), *user]
