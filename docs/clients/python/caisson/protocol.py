# SPDX-License-Identifier: Apache-2.0
"""The words that caisson serve speaks, see docs/serve.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, TypedDict

PROTOCOL = 1

#: How much output of one command is under way until it is read, in bytes.
WINDOW = 1 << 20

#: How much is written to a command in one message, in bytes.
CHUNK = 256 << 10


class Grant(TypedDict):
    """What widens a policy. Pass it to `open` when a person agreed."""

    kind: str
    value: str
    args: List[str]
    policy: Optional[str]


class _Diagnostic(TypedDict):
    code: str
    message: str
    grant: Optional[Grant]


class Diagnostic(_Diagnostic, total=False):
    """A refusal or a finding; the codes are in docs/diagnostics.md."""

    remedy: str


class Exit(TypedDict):
    code: int
    signal: Optional[int]
    timed_out: bool
    limit: Optional[str]


class Outcome(TypedDict, total=False):
    """The result of a command, as `caisson run --result` writes it."""

    schema: int
    caisson: str
    backend: str
    policy_digest: str
    claims: Dict[str, Dict[str, str]]
    weakened: List[str]
    started: bool
    exit: Exit
    elapsed_ms: int
    usage: Dict[str, int]
    denials: Optional[List[Dict[str, Any]]]
    #: What the command had less than its sandbox: guarantees, read_only, protect, hide. Absent for nothing.
    less: Dict[str, List[str]]
    diagnostics: List[Diagnostic]
    reason: str


class _Explanation(TypedDict):
    target: str
    rule: Dict[str, Any]
    remedy: str
    grant: Optional[Grant]


class Explanation(_Explanation, total=False):
    """What the policy means for a path, host or socket."""

    read: bool
    write: bool
    reach: bool


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it wrote."""

    stdout: bytes
    stderr: bytes
    #: Output beyond the bound was dropped.
    truncated: bool
    outcome: Outcome

    @property
    def code(self) -> int:
        """The exit status, as `caisson run` gives it: 128+N for signal N, 124 for a time that is over."""
        return self.outcome["exit"]["code"]

    @property
    def timed_out(self) -> bool:
        return self.outcome["exit"]["timed_out"]


class ConnectionLost(Exception):
    """caisson serve has ended; so has everything that ran in it."""


class Refused(Exception):
    """caisson refused something. `grant` is the narrowest one that helps, if any does."""

    def __init__(self, error: Dict[str, Any]):
        super().__init__(error["message"])
        data = error.get("data") or {}
        self.rpc_code: int = error["code"]
        self.diagnostic: Diagnostic = data.get("diagnostic") or {"code": "", "message": error["message"], "grant": None}
        #: The guarantees that are out of reach, each with id, reason, remedy and grant.
        self.unmet: List[Dict[str, Any]] = data.get("unmet") or []
        #: The result of a command that was not started.
        self.outcome: Optional[Outcome] = data.get("result")

    @property
    def code(self) -> str:
        return self.diagnostic["code"]

    @property
    def grant(self) -> Optional[Grant]:
        return self.diagnostic["grant"]
