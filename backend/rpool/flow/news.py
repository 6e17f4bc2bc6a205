"""What the user is told of servers that were given back, and are no longer what they were.

A reset takes away what is Kubernetes' and rpool's. What else came to a server meanwhile is not ours
to remove, and a server that has it must not become a spare without a word (decision 20).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from rpool.advice import Do
from rpool.model.server import ServerName
from rpool.model.step import News, Ran

SHOWN = 12
_UNKNOWN = "unknown: "


def enumerated(news: News) -> str:
    """The news in one line; beyond `SHOWN` of them, only how many more."""
    more = f" and {len(news) - SHOWN} more" if len(news) > SHOWN else ""
    return f"{'; '.join(news[:SHOWN])}{more}"


def told(ran: Ran, warn: Callable[[str], None]) -> Ran:
    """Warn of the news of `ran`, servers with the same news together; returns `ran`."""
    alike: defaultdict[News, list[ServerName]] = defaultdict(list)
    for server, news in sorted(ran.news.items()):
        alike[news].append(server)
    for news, servers in alike.items():
        warn(_warning(", ".join(servers), news))
    return ran


def _warning(servers: str, news: News) -> str:
    if news[0].startswith(_UNKNOWN):
        why = news[0].removeprefix(_UNKNOWN)
        return f"{servers}: given back; what changed there since the claim is unknown: {why}."
    return (
        f"{servers}: given back, with changes since its claim that can give somebody access\n"
        f"{enumerated(news)}.\n{Do.LOOK_AROUND.text()}"
    )
