"""How an action has its server to itself, and what lets servers join."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rpool.model.secret import NO_SECRET, Secret


class Guard(StrEnum):
    """What else may work on a server while an action does (see reach/scripts/guard.sh)."""

    ALONE = "alone"  # nothing: init, join, reset
    TOGETHER = "together"  # changes that go through the API of this server, but no reset
    BRIEFLY = "briefly"  # everything: the claim and the journal are written while others work
    IN_TURN = "in_turn"  # nothing, and it is about the claim


@dataclass(frozen=True, slots=True)
class JoinSecrets:
    """What lets servers join for some minutes: a bootstrap token and the key of kubeadm's
    uploaded certificates. `ca_pin` (`sha256:...`) is public, and known once the first server is up,
    as is `encryption`, the API servers' EncryptionConfiguration, which control planes get.
    """

    token: Secret
    certificate_key: Secret
    ca_pin: str = ""
    encryption: Secret = NO_SECRET


NOT_DRAWN = JoinSecrets(NO_SECRET, NO_SECRET)
"""What a plan has in the place of secrets: they are drawn when its steps are carried out."""
