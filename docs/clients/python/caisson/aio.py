# SPDX-License-Identifier: Apache-2.0
"""Open sandboxes with asyncio.

    async with await Server.start() as server:
        async with await server.open("/home/me/app") as sandbox:
            result = await sandbox.run(["npm", "test"], timeout=600)
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, AsyncIterator, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from .protocol import CHUNK, PROTOCOL, WINDOW, ConnectionLost, Explanation, Grant, Outcome, Refused, Result

#: A line of the server: a plan may be long.
_MAX_LINE = 64 << 20

Answer = Callable[[Any], None]


class Server:
    """One `caisson serve`. With its end, everything ends that it holds."""

    def __init__(self, process: asyncio.subprocess.Process):
        self._process = process
        self._last = 0
        self._pending: Dict[int, Tuple["asyncio.Future[Any]", Optional[Answer]]] = {}
        self._commands: Dict[str, Command] = {}
        self._lost: Optional[BaseException] = None
        #: close was called.
        self.closed = False
        self._sending = asyncio.Lock()
        self._reader = asyncio.ensure_future(self._read())
        #: What initialize answered: version, limits, what this host can do.
        self.info: Dict[str, Any] = {}

    @classmethod
    async def start(cls, program: Union[str, Sequence[str]] = "caisson", *, env: Optional[Mapping[str, str]] = None) -> "Server":
        """Starts the program, which is looked for in PATH. `env` is its environment,
        from which commands inherit through the policy's filter."""
        argv = [program] if isinstance(program, str) else list(program)
        process = await asyncio.create_subprocess_exec(
            *argv, "serve", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=None if env is None else dict(env), limit=_MAX_LINE,
        )
        server = cls(process)
        try:
            server.info = await server.call("initialize", {"protocol": PROTOCOL, "client": {"name": "caisson-python", "version": "1"}})
        except BaseException:
            await server.close()
            raise
        return server

    @property
    def pid(self) -> int:
        return self._process.pid

    async def __aenter__(self) -> "Server":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the program and everything that it holds, and waits until it is gone."""
        self.closed = True
        if self._lost is None:
            self._lost = ConnectionLost("the server is closed")
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                line = await self._process.stdout.readline()
                if not line.endswith(b"\n"):
                    raise ConnectionLost("caisson serve has ended")
                self._take(json.loads(line))
        except Exception as e:
            if self._lost is None:
                self._lost = e if isinstance(e, ConnectionLost) else ConnectionLost(f"caisson serve: {e}")
        for future, _ in self._pending.values():
            if not future.done():
                future.set_exception(self._lost)
        self._pending.clear()
        for command in self._commands.values():
            command._output.put_nowait(None)

    def _take(self, message: Dict[str, Any]) -> None:
        if message.get("method") == "command.output":
            params = message["params"]
            command = self._commands.get(params["command"])
            if command is not None:  # it was waited for otherwise
                command._output.put_nowait((params["stream"], base64.b64decode(params["data"])))
            return
        future, then = self._pending.pop(message.get("id"), (None, None))
        if future is None:
            return
        if "error" in message:
            if not future.done():
                future.set_exception(Refused(message["error"]))
            return
        if then is not None:
            then(message["result"])
        if not future.done():
            future.set_result(message["result"])

    async def _send(self, message: Dict[str, Any]) -> None:
        if self._lost is not None:
            raise self._lost
        assert self._process.stdin is not None
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        async with self._sending:
            try:
                self._process.stdin.write(line)
                await self._process.stdin.drain()
            except (ConnectionError, RuntimeError) as e:
                raise ConnectionLost(f"caisson serve: {e}") from e

    async def call(self, method: str, params: Mapping[str, Any], then: Optional[Answer] = None) -> Any:
        """Asks for something and waits for the answer. `then` is called with it
        before anything later is read."""
        self._last += 1
        number, future = self._last, asyncio.get_running_loop().create_future()
        self._pending[number] = (future, then)
        try:
            await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        except BaseException:
            self._pending.pop(number, None)
            raise
        return await future

    async def open(
        self, workspace: Union[str, Sequence[str]], *, flags: Sequence[str] = (), grants: Iterable[Grant] = (),
        policy: Optional[Mapping[str, Any]] = None, reason: str = "",
    ) -> "Sandbox":
        """Opens a sandbox. `workspace` are the absolute directories that may be
        written; `flags` those of `caisson run`."""
        return Sandbox(self, await self.call("sandbox.open", _policy(workspace, flags, grants, policy, reason)))

    async def explain(self, workspace: Union[str, Sequence[str]], target: str, *, flags: Sequence[str] = (), grants: Iterable[Grant] = ()) -> Explanation:
        """Says whether PATH, net:HOST:PORT or unix:PATH may be read, written or reached."""
        answer: Explanation = await self.call("explain", {**_policy(workspace, flags, grants, None, ""), "target": target})
        return answer

    async def plan(self, workspace: Union[str, Sequence[str]], *, flags: Sequence[str] = (), grants: Iterable[Grant] = ()) -> Dict[str, Any]:
        """How the sandbox would be made, and why it would be refused."""
        answer: Dict[str, Any] = await self.call("plan", _policy(workspace, flags, grants, None, ""))
        return answer


def _policy(
    workspace: Union[str, Sequence[str]], flags: Sequence[str], grants: Iterable[Grant], policy: Optional[Mapping[str, Any]], reason: str,
) -> Dict[str, Any]:
    words = list(flags)
    for grant in grants:
        words += grant["args"]
    params: Dict[str, Any] = {"workspace": [workspace] if isinstance(workspace, str) else list(workspace), "flags": words}
    if policy is not None:
        params["policy"] = dict(policy)
    if reason:
        params["reason"] = reason
    return params


class Sandbox:
    """One open sandbox: one policy, one temporary directory, one loopback, many commands."""

    def __init__(self, server: Server, opened: Dict[str, Any]):
        self._server = server
        #: What sandbox.open answered: claims, weakened, diagnostics, workspace.
        self.info = opened
        self.id: str = opened["sandbox"]
        self._closed = False

    async def __aenter__(self) -> "Sandbox":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends everything in it, and waits until it is gone. A server that was
        closed has taken it along."""
        if not self._closed and not self._server.closed:
            self._closed = True
            await self._server.call("sandbox.close", {"sandbox": self.id})

    async def explain(self, target: str) -> Explanation:
        answer: Explanation = await self._server.call("explain", {"sandbox": self.id, "target": target})
        return answer

    async def start(
        self, argv: Sequence[str], *, dir: Optional[str] = None, env: Optional[Mapping[str, Optional[str]]] = None, stdin: bool = False,
        tty: Optional[Tuple[int, int]] = None, timeout: Optional[float] = None,
        read_only: bool = False, protect: Sequence[str] = (), hide: Sequence[str] = (),
    ) -> "Command":
        """Starts a command. `env` changes variables, and takes those away that are
        None; `tty` is a size, as (rows, columns); `timeout` is in seconds. `read_only`,
        `protect` and `hide` give it less than the sandbox; paths are taken from `dir`."""
        params: Dict[str, Any] = {"sandbox": self.id, "argv": list(argv), "window": WINDOW}
        if dir is not None:
            params["dir"] = dir
        if env is not None:
            params["env"] = dict(env)
        if stdin:
            params["stdin"] = True
        if tty is not None:
            params["tty"] = {"rows": tty[0], "cols": tty[1]}
        if timeout is not None:
            params["timeout_ms"] = max(1, int(timeout * 1000))
        if read_only:
            params["read_only"] = True
        if protect:
            params["protect"] = list(protect)
        if hide:
            params["hide"] = list(hide)
        made: List[Command] = []
        await self._server.call("command.start", params, lambda answer: made.append(Command(self._server, answer)))
        return made[0]

    async def run(
        self, argv: Sequence[str], *, input: Optional[bytes] = None, max_output: int = 16 << 20, dir: Optional[str] = None,
        env: Optional[Mapping[str, Optional[str]]] = None, timeout: Optional[float] = None,
        read_only: bool = False, protect: Sequence[str] = (), hide: Sequence[str] = (),
    ) -> Result:
        """Runs a command to its end. Of each output stream the first `max_output`
        bytes are kept. A command that is cancelled is killed."""
        command = await self.start(argv, dir=dir, env=env, stdin=input is not None, timeout=timeout, read_only=read_only, protect=protect, hide=hide)
        try:
            return await command.communicate(input, max_output)
        except asyncio.CancelledError:
            await asyncio.shield(command.signal("KILL"))
            raise


class Command:
    """One command of a sandbox."""

    def __init__(self, server: Server, started: Dict[str, Any]):
        self._server = server
        self.id: str = started["command"]
        self.pid: int = started["pid"]
        self._output: "asyncio.Queue[Optional[Tuple[str, bytes]]]" = asyncio.Queue()
        self._outcome: Optional["asyncio.Future[Outcome]"] = None
        server._commands[self.id] = self

    async def output(self) -> AsyncIterator[Tuple[str, bytes]]:
        """What it writes, as (stream, data) with the streams stdout, stderr and tty,
        until it was waited for. A command whose output nobody reads stops in time."""
        while True:
            item = await self._output.get()
            if item is None:
                return
            try:
                await self._server._send({"jsonrpc": "2.0", "method": "command.more", "params": {"command": self.id, "bytes": len(item[1])}})
            except ConnectionLost:
                pass  # what came is given all the same
            yield item

    async def write(self, data: bytes) -> bool:
        """Writes to its input; False when it takes no more."""
        for at in range(0, len(data), CHUNK):
            piece = base64.b64encode(data[at:at + CHUNK]).decode()
            answer = await self._server.call("command.stdin", {"command": self.id, "data": piece})
            if answer["closed"]:
                return False
        return True

    async def close_stdin(self) -> None:
        """Ends its input."""
        await self._server.call("command.stdin", {"command": self.id, "eof": True})

    async def resize(self, rows: int, cols: int) -> None:
        await self._server.call("command.resize", {"command": self.id, "rows": rows, "cols": cols})

    async def signal(self, name: str) -> None:
        """Sends a signal by its name, as INT. KILL kills its descendants too."""
        try:
            await self._server.call("command.signal", {"command": self.id, "signal": name})
        except Refused as e:
            if e.code != "request-invalid" or self._outcome is None:
                raise  # otherwise it was waited for meanwhile

    async def wait(self) -> Outcome:
        """Waits for its end. May be called again."""
        if self._outcome is None:
            self._outcome = asyncio.ensure_future(self._wait())
        return await asyncio.shield(self._outcome)

    async def _wait(self) -> Outcome:
        def ended(_: Any) -> None:
            self._server._commands.pop(self.id, None)
            self._output.put_nowait(None)

        outcome: Outcome = await self._server.call("command.wait", {"command": self.id}, ended)
        return outcome

    async def communicate(self, input: Optional[bytes] = None, max_output: int = 16 << 20) -> Result:
        """Writes the input, reads all output and waits for the end."""
        kept: Dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        truncated = False

        async def feed() -> None:
            try:
                if input is not None and await self.write(input):
                    await self.close_stdin()
            except Refused:
                pass  # it has ended

        ended, fed = asyncio.ensure_future(self.wait()), asyncio.ensure_future(feed())
        try:
            async for stream, data in self.output():
                into = kept["stderr" if stream == "stderr" else "stdout"]
                room = max_output - len(into)
                truncated = truncated or len(data) > room
                into += data[:max(room, 0)]
            outcome = await ended
            await fed
        finally:
            for task in (ended, fed):
                task.cancel()
        return Result(bytes(kept["stdout"]), bytes(kept["stderr"]), truncated, outcome)
