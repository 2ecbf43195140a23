# SPDX-License-Identifier: Apache-2.0
"""A sandbox provider for inspect_ai: sandbox="caisson". Each sample has a sandbox
and a workspace of its own. Files are read and written by commands inside, never on
the host's paths, where a link that a command made could lead anywhere.

NOT RUN against the package, which could not be had: tested against a stand-in with
the names that its sources document.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any, Dict, List, Optional, Union

from inspect_ai.util import ExecResult, OutputLimitExceededError, SandboxEnvironment, sandboxenv  # type: ignore[import-not-found]

from .. import aio
from ..protocol import Refused, Result

MAX_OUTPUT = 10 << 20
MAX_FILE = 100 << 20

# What a file is, said by the exit status: the text of errors is the command's.
_ABSENT, _DIRECTORY, _DENIED = 41, 42, 43
_READ = f'[ -d "$0" ] && exit {_DIRECTORY}; [ -e "$0" ] || exit {_ABSENT}; [ -r "$0" ] || exit {_DENIED}; exec cat < "$0"'
_WRITE = (
    f'[ -d "$0" ] && exit {_DIRECTORY}; case $0 in */*) mkdir -p -- "${{0%/*}}/" || exit {_DENIED};; esac; '
    f'( : > "$0" ) 2>/dev/null || exit {_DENIED}; exec cat > "$0"'
)


@sandboxenv(name="caisson")
class CaissonSandboxEnvironment(SandboxEnvironment):  # type: ignore[misc]
    def __init__(self, server: aio.Server, sandbox: aio.Sandbox, directory: str):
        super().__init__()
        self._server, self._sandbox, self._directory = server, sandbox, directory

    @classmethod
    async def sample_init(cls, task_name: str, config: Any, metadata: Dict[str, str]) -> Dict[str, SandboxEnvironment]:
        """`config` is a list of flags of `caisson run`, separated by spaces."""
        home = os.path.join(os.path.expanduser("~"), ".cache", "caisson-inspect")
        os.makedirs(home, mode=0o700, exist_ok=True)
        directory = tempfile.mkdtemp(dir=home)  # not below /tmp, which is private inside
        try:
            server = await aio.Server.start(os.environ.get("CAISSON", "caisson"))
            try:
                sandbox = await server.open(directory, flags=config.split() if isinstance(config, str) else [])
            except BaseException:
                await server.close()
                raise
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        return {"default": cls(server, sandbox, directory)}

    @classmethod
    async def sample_cleanup(cls, task_name: str, config: Any, environments: Dict[str, SandboxEnvironment], interrupted: bool) -> None:
        for environment in environments.values():
            assert isinstance(environment, cls)
            await environment._server.close()
            shutil.rmtree(environment._directory, ignore_errors=True)

    async def exec(
        self, cmd: List[str], input: Union[str, bytes, None] = None, cwd: Optional[str] = None, env: Optional[Dict[str, str]] = None,
        user: Optional[str] = None, timeout: Optional[int] = None, timeout_retry: bool = True, concurrency: bool = True,
    ) -> ExecResult:
        if user is not None:
            raise PermissionError("commands of caisson run as the user who runs it")
        result = await self._run(cmd, input, cwd, env, timeout, MAX_OUTPUT)
        if result.timed_out:
            raise TimeoutError(f"the command took longer than {timeout} seconds")
        out, err = result.stdout.decode(), result.stderr.decode()
        if result.truncated:
            raise OutputLimitExceededError("10 MiB", out)
        return ExecResult(success=result.code == 0, returncode=result.code, stdout=out, stderr=err)

    async def _run(
        self, cmd: List[str], input: Union[str, bytes, None], cwd: Optional[str], env: Optional[Dict[str, str]], timeout: Optional[int], limit: int,
    ) -> Result:
        data = input.encode() if isinstance(input, str) else input
        try:
            return await self._sandbox.run(cmd, input=data, dir=cwd, env=dict(env or {}), timeout=timeout, max_output=limit)
        except Refused as e:
            if e.code == "command-not-executable":
                raise PermissionError(str(e)) from e
            if e.outcome is None:
                raise
            return Result(b"", str(e).encode(), False, e.outcome)

    async def write_file(self, file: str, contents: Union[str, bytes]) -> None:
        self._check(file, await self._run(["sh", "-c", _WRITE, self._path(file)], contents, None, None, None, MAX_OUTPUT))

    async def read_file(self, file: str, text: bool = True) -> Union[str, bytes]:
        result = await self._run(["sh", "-c", _READ, self._path(file)], None, None, None, None, MAX_FILE)
        self._check(file, result)
        if result.truncated:
            raise OutputLimitExceededError("100 MiB", None)
        return result.stdout.decode() if text else result.stdout

    def _path(self, file: str) -> str:
        return os.path.join(self._directory, file)

    @staticmethod
    def _check(file: str, result: Result) -> None:
        if result.code == _ABSENT:
            raise FileNotFoundError(f"no such file: {file}")
        if result.code == _DIRECTORY:
            raise IsADirectoryError(f"is a directory: {file}")
        if result.code == _DENIED:
            raise PermissionError(f"permission denied: {file}")
        if result.code != 0:
            raise OSError(f"{file}: {result.stderr.decode(errors='replace')}")
