# SPDX-License-Identifier: Apache-2.0
"""An environment for mini-SWE-agent 2: its commands run in one open sandbox.

    environment:
      environment_class: caisson.adapters.minisweagent.CaissonEnvironment
      cwd: /home/me/app

NOT RUN against the package, which could not be had: tested against a stand-in with
the names that its sources document.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Optional

from ..sync import Sandbox, Server


@dataclass
class CaissonEnvironmentConfig:
    #: The workspace, and where commands start. By default the current directory.
    cwd: str = ""
    env: Dict[str, str] = field(default_factory=dict)
    #: How long one command may take, in seconds.
    timeout: int = 30
    program: str = "caisson"
    #: Further flags of `caisson run`, and the args of grants.
    flags: List[str] = field(default_factory=list)

    def model_dump(self, **_: Any) -> Dict[str, Any]:
        return asdict(self)


class CaissonEnvironment:
    """Runs what the model writes with a shell inside. Nothing of it is read on the host."""

    def __init__(self, *, config_class: type = CaissonEnvironmentConfig, **kwargs: Any):
        self.config = config_class(**kwargs)
        self._root = os.path.abspath(self.config.cwd or os.getcwd())
        self._server = Server(self.config.program)
        try:
            self._sandbox: Sandbox = self._server.open(self._root, flags=self.config.flags)
        except BaseException:
            self._server.close()
            raise

    def close(self) -> None:
        """Ends everything that was started. So does the end of this process."""
        self._server.close()

    def execute(self, action: Dict[str, Any], cwd: str = "", *, timeout: Optional[int] = None) -> Dict[str, Any]:
        command = 'exec 2>&1; eval "$0"'
        try:
            result = self._sandbox.run(
                ["bash", "-c", command, action.get("command", "")], dir=cwd or self._root, env=dict(self.config.env), timeout=timeout or self.config.timeout
            )
        except Exception as e:  # the harness shows it to the model
            return {
                "output": "", "returncode": -1, "exception_info": f"An error occurred while executing the command: {e}",
                "extra": {"exception_type": type(e).__name__, "exception": str(e)},
            }
        text = result.stdout.decode("utf-8", errors="replace")
        output: Dict[str, Any] = {"output": text, "returncode": result.code, "exception_info": ""}
        if result.timed_out:
            output["returncode"] = -1
            output["exception_info"] = f"The command took longer than {timeout or self.config.timeout} seconds and was killed."
        self._check_finished(output)
        return output

    def _check_finished(self, output: Dict[str, Any]) -> None:
        from minisweagent.exceptions import Submitted  # type: ignore[import-not-found]

        first, _, rest = output["output"].lstrip().partition("\n")
        if first.strip() == "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT" and output["returncode"] == 0:
            raise Submitted({"role": "exit", "content": rest, "extra": {"exit_status": "Submitted", "submission": rest}})

    def get_template_vars(self, **kwargs: Any) -> Dict[str, Any]:
        return {**self.config.model_dump(), **platform.uname()._asdict(), **kwargs}

    def serialize(self) -> Dict[str, Any]:
        name = f"{type(self).__module__}.{type(self).__name__}"
        return {"info": {"config": {"environment": self.config.model_dump(mode="json"), "environment_type": name}}}
