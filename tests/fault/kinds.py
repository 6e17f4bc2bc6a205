"""What can go wrong at an action: before it, after it, inside of it, and instead of it."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """What happens at an action, and lasts for the rest of its operation where it says so."""

    # Before it, or after it.
    KILLED_BEFORE = "the plugin is killed before it"
    KILLED_AFTER = "the plugin is killed after it, and what came of it is lost"
    CUT_BEFORE = "contact with the server breaks before it, for the rest of the operation"
    CUT_AFTER = "contact with the server breaks after it, for the rest of the operation"
    STOPPED = "the user presses Ctrl-C after it"
    LOCK_LOST = "the session locks are lost before it"
    # Inside of it.
    LATE = "the plugin is killed as it runs; it goes on there by itself"
    CUT_INSIDE = "contact with the server breaks as it runs; it goes on there by itself"
    HALF = "its script is killed in its middle"
    POWER_INSIDE = "the server loses power in its middle"
    REBOOTED = "the server loses power in its middle, and comes back"
    # Instead of it.
    UNKNOWN_NOT_DONE = "its answer is lost; it was not done"
    FAILS = "it fails"
    # Its answer alone.
    UNKNOWN_DONE = "its answer is lost; it was done"
    # The site before it.
    POWER_LOST = "some server loses power before it"
    REINSTALLED = "some server is installed anew before it"
    CLOCK = "the clock of some server jumps before it"
    # Ways that are cut on one side, for the rest of the operation.
    LOOKS_REFUSED = "from it on the API refuses three looks"
    NO_API = "the operator reaches the server, but not its API"
    NO_JOINS = "servers do not reach each other, so that none joins"
    PARTITION = "the operator reaches only half of the servers"
    # Other operators.
    SECOND_OPERATOR = "another operator applies something before it"
    PAUSED = "the operator sleeps through its lock while another one applies; then it goes on"
    OVERTAKEN = "another operator applies something between the plan and the apply"
    OUR_CLOCK = "the operator's own clock jumps"


AT_PLAN = frozenset({Fault.OVERTAKEN, Fault.OUR_CLOCK})
"""Not at an action: these happen once the operation is planned."""
