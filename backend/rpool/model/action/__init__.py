"""What can be done to a server: a closed union of small actions that are data, not code.

`reach` renders each to a script that runs on the server under a guard: it takes the server's lock,
checks that the claim still has this uid and epoch, and only then acts. Every action is idempotent:
carried out a second time, it finds its work done. All but `AwaitReady` change something.

An action's class holds what does not depend on where it is carried out: `doing`, the action in
words for an error's first line; `verb`, its step's name; `limit_seconds`, how long it may take
(generous, since it only ends a hang); and its `guard`.
"""

from __future__ import annotations

from rpool.model.action.cluster import (
    AdmitJoiners,
    ApplyMetalLB,
    ApplyNetwork,
    AwaitReady,
    Budgets,
    ConfigureMetalLB,
    DeleteNode,
    Drain,
    RemoveEtcdMember,
    RemoveMetalLB,
    RevokeJoiners,
    SetNode,
    SpreadDns,
    Uncordon,
    WriteRecord,
)
from rpool.model.action.guard import (
    NOT_DRAWN,
    Guard,
    JoinSecrets,
)
from rpool.model.action.server import (
    AppendJournal,
    Init,
    Join,
    Mend,
    NoteFailure,
    Prepare,
    RecoverEtcd,
    Reset,
    RestartKubelet,
    SetPhase,
    StepDown,
    TakeClaim,
)

__all__ = [
    "NOT_DRAWN",
    "Action",
    "AdmitJoiners",
    "AppendJournal",
    "ApplyMetalLB",
    "ApplyNetwork",
    "AwaitReady",
    "Budgets",
    "ConfigureMetalLB",
    "DeleteNode",
    "Drain",
    "Guard",
    "Guarded",
    "Init",
    "Join",
    "JoinSecrets",
    "Mend",
    "NoteFailure",
    "Prepare",
    "RecoverEtcd",
    "RemoveEtcdMember",
    "RemoveMetalLB",
    "Reset",
    "RestartKubelet",
    "RevokeJoiners",
    "SetNode",
    "SetPhase",
    "SpreadDns",
    "StepDown",
    "TakeClaim",
    "Uncordon",
    "Unowned",
    "WriteRecord",
]

Guarded = (
    SetPhase
    | Init
    | Join
    | RestartKubelet
    | Mend
    | StepDown
    | RecoverEtcd
    | Reset
    | AppendJournal
    | WriteRecord
    | AdmitJoiners
    | RevokeJoiners
    | ApplyNetwork
    | ApplyMetalLB
    | ConfigureMetalLB
    | RemoveMetalLB
    | Drain
    | Uncordon
    | SpreadDns
    | RemoveEtcdMember
    | SetNode
    | DeleteNode
)
"""Actions whose script checks the claim under the server's lock before it acts."""

Unowned = TakeClaim | AwaitReady | NoteFailure
"""Actions that need no claim on the server."""

Action = Unowned | Prepare | Guarded
