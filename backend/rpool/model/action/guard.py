"""How actions exclude others on their server, and the secrets by which servers join."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rpool.model.secret import NO_SECRET, Secret


class Guard(StrEnum):
    """What else may run on a server during an action (see reach/scripts/guard.sh)."""

    ALONE = "alone"  # nothing: init, join, reset
    TOGETHER = "together"  # changes that go through the API of this server, but no reset
    BRIEFLY = "briefly"  # everything: for writes of the claim and the journal
    IN_TURN = "in_turn"  # nothing, and the action changes the claim


@dataclass(frozen=True, slots=True)
class JoinSecrets:
    """What lets servers join for some minutes: a bootstrap token and the key of kubeadm's uploaded
    certificates. `ca_pin` (`sha256:...`, public) and `encryption`, the API servers'
    EncryptionConfiguration that control planes get, are known once the first server is up.
    """

    token: Secret
    certificate_key: Secret
    ca_pin: str = ""
    encryption: Secret = NO_SECRET


NOT_DRAWN = JoinSecrets(NO_SECRET, NO_SECRET)
"""What a plan has in place of secrets: these are drawn when its steps are carried out."""
