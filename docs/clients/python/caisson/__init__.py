# SPDX-License-Identifier: Apache-2.0
"""Open sandboxes of caisson, through `caisson serve`.

    with caisson.Server() as server:
        with server.open("/home/me/app") as sandbox:
            sandbox.start(["npm", "run", "dev"])
            result = sandbox.run(["npm", "test"], timeout=600)

The same with `await` is in `caisson.aio`. What a host refuses is raised as
`Refused`, with the grant that helps.
"""

from .protocol import ConnectionLost, Diagnostic, Explanation, Grant, Outcome, Refused, Result
from .sync import Command, Sandbox, Server

__all__ = [
    "Command", "ConnectionLost", "Diagnostic", "Explanation", "Grant", "Outcome", "Refused", "Result", "Sandbox", "Server",
]
