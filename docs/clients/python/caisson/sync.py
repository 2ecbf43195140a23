# SPDX-License-Identifier: Apache-2.0
"""Open sandboxes without asyncio: the same as caisson.aio, on a loop in a thread
of its own. Its methods may be called from many threads."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Coroutine, Iterable, Iterator, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from . import aio
from .protocol import ConnectionLost, Explanation, Grant, Outcome, Result

T = TypeVar("T")


class _Loop:
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="caisson", daemon=True)
        self._thread.start()

        self._lock = threading.Lock()  # so that nothing is given to a loop that ends
        self._over = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._over:
                work.close()
                raise ConnectionLost("the server is closed")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # as by Ctrl-C
            raise

    def end(self) -> None:
        with self._lock:
            self._over = True
        # What other threads wait for fails, since the server has ended.
        asyncio.run_coroutine_threadsafe(_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Server:
    """One `caisson serve`. With its end, everything ends that it holds."""

    def __init__(self, program: Union[str, Sequence[str]] = "caisson", *, env: Optional[Mapping[str, str]] = None):
        self._loop = _Loop()
        try:
            self._server = self._loop.run(aio.Server.start(program, env=env))
        except BaseException:
            self._loop.end()
            raise
        self.info = self._server.info
        self.pid = self._server.pid
        self._closed = False

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.run(self._server.close())
            self._loop.end()

    def open(
        self, workspace: Union[str, Sequence[str]], *, flags: Sequence[str] = (), grants: Iterable[Grant] = (),
        policy: Optional[Mapping[str, Any]] = None, reason: str = "",
    ) -> "Sandbox":
        opened = self._loop.run(self._server.open(workspace, flags=flags, grants=grants, policy=policy, reason=reason))
        return Sandbox(self._loop, self._server, opened)

    def explain(self, workspace: Union[str, Sequence[str]], target: str, *, flags: Sequence[str] = (), grants: Iterable[Grant] = ()) -> Explanation:
        return self._loop.run(self._server.explain(workspace, target, flags=flags, grants=grants))

    def plan(self, workspace: Union[str, Sequence[str]], *, flags: Sequence[str] = (), grants: Iterable[Grant] = ()) -> Mapping[str, Any]:
        return self._loop.run(self._server.plan(workspace, flags=flags, grants=grants))


class Sandbox:
    """One open sandbox: one policy, one temporary directory, one loopback, many commands."""

    def __init__(self, loop: _Loop, server: aio.Server, sandbox: aio.Sandbox):
        self._loop, self._server, self._sandbox = loop, server, sandbox
        self.info, self.id = sandbox.info, sandbox.id

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._server.closed:
            self._loop.run(self._sandbox.close())

    def explain(self, target: str) -> Explanation:
        return self._loop.run(self._sandbox.explain(target))

    def start(
        self, argv: Sequence[str], *, dir: Optional[str] = None, env: Optional[Mapping[str, Optional[str]]] = None, stdin: bool = False,
        tty: Optional[Tuple[int, int]] = None, timeout: Optional[float] = None,
        read_only: bool = False, protect: Sequence[str] = (), hide: Sequence[str] = (),
    ) -> "Command":
        starting = self._sandbox.start(
            argv, dir=dir, env=env, stdin=stdin, tty=tty, timeout=timeout, read_only=read_only, protect=protect, hide=hide,
        )
        return Command(self._loop, self._loop.run(starting))

    def run(
        self, argv: Sequence[str], *, input: Optional[bytes] = None, max_output: int = 16 << 20, dir: Optional[str] = None,
        env: Optional[Mapping[str, Optional[str]]] = None, timeout: Optional[float] = None,
        read_only: bool = False, protect: Sequence[str] = (), hide: Sequence[str] = (),
    ) -> Result:
        running = self._sandbox.run(
            argv, input=input, max_output=max_output, dir=dir, env=env, timeout=timeout, read_only=read_only, protect=protect, hide=hide,
        )
        return self._loop.run(running)


class Command:
    """One command of a sandbox."""

    def __init__(self, loop: _Loop, command: aio.Command):
        self._loop, self._command = loop, command
        self.id, self.pid = command.id, command.pid

    def output(self) -> Iterator[Tuple[str, bytes]]:
        pieces = self._command.output().__aiter__()
        while True:
            try:
                yield self._loop.run(_next(pieces))
            except StopAsyncIteration:
                return

    def write(self, data: bytes) -> bool:
        return self._loop.run(self._command.write(data))

    def close_stdin(self) -> None:
        self._loop.run(self._command.close_stdin())

    def resize(self, rows: int, cols: int) -> None:
        self._loop.run(self._command.resize(rows, cols))

    def signal(self, name: str) -> None:
        self._loop.run(self._command.signal(name))

    def wait(self) -> Outcome:
        return self._loop.run(self._command.wait())

    def communicate(self, input: Optional[bytes] = None, max_output: int = 16 << 20) -> Result:
        return self._loop.run(self._command.communicate(input, max_output))


async def _others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)


async def _next(pieces: Any) -> Tuple[str, bytes]:
    piece: Tuple[str, bytes] = await pieces.__anext__()
    return piece
