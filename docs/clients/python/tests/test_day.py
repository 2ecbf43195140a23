# SPDX-License-Identifier: Apache-2.0
"""The agent's day, with the command that CAISSON names and in the directory of
CAISSON_TEST_DIR."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import caisson
from caisson import aio

PROGRAM = os.environ["CAISSON"]

SERVER = """
import http.server, sys
s = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
print(s.server_address[1], flush=True)
s.serve_forever()
"""

ASK = "import urllib.request, sys; print(urllib.request.urlopen('http://127.0.0.1:%s/' % sys.argv[1]).status)"


def directory() -> str:
    return tempfile.mkdtemp(dir=os.environ["CAISSON_TEST_DIR"])


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


class Day(unittest.TestCase):
    def test_day(self) -> None:
        work, outside = directory(), directory()
        with caisson.Server(PROGRAM) as server:
            self.assertEqual(server.info["protocol"], 1)
            with server.open(work, reason="the day") as sandbox:
                self.assertIn("net.offline", sandbox.info["claims"])
                # a server in the background, asked by the next command
                web = sandbox.start([sys.executable, "-c", SERVER])
                stream, port = next(web.output())
                self.assertEqual(stream, "stdout")
                asked = sandbox.run([sys.executable, "-c", ASK, port.decode().strip()])
                self.assertEqual((asked.stdout, asked.code), (b"200\n", 0), asked.stderr)
                # what one writes to /tmp the next reads
                sandbox.run(["sh", "-c", "echo kept > /tmp/out"])
                self.assertEqual(sandbox.run(["cat", "/tmp/out"]).stdout, b"kept\n")
                # a test that fails, one that takes too long
                failed = sandbox.run(["sh", "-c", "echo why >&2; exit 3"])
                self.assertEqual((failed.code, failed.stderr, failed.outcome["reason"]), (3, b"why\n", "the day"))
                late = sandbox.run(["sleep", "1000"], timeout=0.1)
                self.assertEqual((late.code, late.timed_out), (124, True))
                # one that has less: what it may not do the next may
                sandbox.run(["sh", "-c", "echo kept > kept; echo hidden > secret"])
                less = ["sh", "-c", "! { echo x > new; } 2>/dev/null && ! cat secret 2>/dev/null && cat kept"]
                self.assertEqual(sandbox.run(less, read_only=True, hide=["secret"]).stdout, b"kept\n")
                self.assertNotEqual(sandbox.run(["rm", "-f", "kept"], protect=["kept"]).code, 0)
                self.assertEqual(sandbox.run(["sh", "-c", "echo x > new && rm kept && cat secret"]).stdout, b"hidden\n")
                # an interactive one
                shell = sandbox.start(["sh"], tty=(31, 97))
                shell.resize(41, 107)
                shell.write(b"stty size; exit 5\n")
                text = b"".join(data for _, data in _until_end(shell))
                self.assertIn(b"41 107", text)
                self.assertEqual(shell.wait()["exit"]["code"], 5)
                # input beyond every buffer, output that is bounded
                big = os.urandom(3 << 20)
                echoed = sandbox.run(["cat"], input=big)
                self.assertEqual(echoed.stdout, big)
                cut = sandbox.run(["head", "-c", "3000000", "/dev/zero"], max_output=10)
                self.assertEqual((cut.stdout, cut.truncated), (b"\0" * 10, True))
                # a command that is not there
                with self.assertRaises(caisson.Refused) as refused:
                    sandbox.run(["no-such-command"])
                self.assertEqual(refused.exception.code, "command-not-found")
                assert refused.exception.outcome is not None
                self.assertEqual(refused.exception.outcome["exit"]["code"], 127)
                # one that is denied, granted, and run again in another sandbox
                target = os.path.join(outside, "file")
                denied = sandbox.run(["sh", "-c", 'echo hi > "$0"', target])
                self.assertNotEqual(denied.code, 0)
                self.assertFalse(os.path.exists(target))
                answer = sandbox.explain(outside)
                self.assertFalse(answer["write"])
                grant = answer["grant"]
                assert grant is not None
            self.assertTrue(gone(web.pid))
            with server.open(work, grants=[grant], reason="the person agreed") as sandbox:
                self.assertEqual(sandbox.run(["sh", "-c", 'echo hi > "$0"', target]).code, 0)
                self.assertTrue(os.path.exists(target))

    def test_refusals(self) -> None:
        work = directory()
        with caisson.Server(PROGRAM) as server:
            with self.assertRaises(caisson.Refused) as refused:
                server.open(work, flags=["--no-such-flag"])
            self.assertEqual(refused.exception.code, "usage-invalid")
            with self.assertRaises(caisson.Refused):
                server.open("relative")
            self.assertIsNone(server.plan(work)["refusal"])

    def test_many(self) -> None:
        async def main() -> None:
            async with await aio.Server.start(PROGRAM) as server:
                async with await server.open(directory()) as sandbox:
                    results = await asyncio.gather(*(sandbox.run(["sh", "-c", "echo $0", str(i)]) for i in range(200)))
                    self.assertEqual([r.stdout for r in results], [b"%d\n" % i for i in range(200)])

        asyncio.run(main())

    def test_cancelled(self) -> None:
        async def main() -> None:
            async with await aio.Server.start(PROGRAM) as server:
                async with await server.open(directory()) as sandbox:
                    with self.assertRaises(asyncio.TimeoutError):
                        await asyncio.wait_for(sandbox.run(["sh", "-c", "sleep 1000; true"]), 0.2)
                    left = await sandbox.run(["sh", "-c", "until ! pgrep sleep >/dev/null; do sleep 0.05; done"], timeout=60)
                    self.assertEqual(left.code, 0)

        asyncio.run(main())

    def test_death(self) -> None:
        """A client that is killed leaves nothing."""
        code = (
            "import caisson, os, sys, time\n"
            "s = caisson.Server(sys.argv[1]); b = s.open(sys.argv[2])\n"
            "print(s.pid, b.start(['sleep', '1000']).pid, b.start(['sh', '-c', 'setsid sleep 1000']).pid, flush=True)\n"
            "time.sleep(1000)\n"
        )
        owner = subprocess.Popen([sys.executable, "-c", code, PROGRAM, directory()], stdout=subprocess.PIPE)
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        self.assertEqual(len(pids), 3)
        self.assertFalse(any(gone(pid) for pid in pids))
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        owner.stdout.close()
        end = time.monotonic() + 60
        while not all(gone(pid) for pid in pids):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def test_closed(self) -> None:
        server = caisson.Server(PROGRAM)
        with server.open(directory()) as sandbox:
            left = sandbox.start(["sleep", "1000"])
            waiting: "list[BaseException]" = []

            def wait() -> None:
                try:
                    left.wait()
                except caisson.ConnectionLost as e:
                    waiting.append(e)

            thread = threading.Thread(target=wait)
            thread.start()
            server.close()
            thread.join(60)
            self.assertEqual(len(waiting), 1, "who waits is told of the end")
            for act in (
                lambda: server.open(directory()), lambda: server.plan(directory()), lambda: server.explain(directory(), "/etc"),
                lambda: sandbox.run(["true"]), lambda: sandbox.start(["true"]), lambda: sandbox.explain("/etc"),
                left.wait, lambda: left.signal("KILL"), lambda: left.write(b"x"), lambda: next(left.output()),
            ):
                with self.assertRaisesRegex(caisson.ConnectionLost, "closed"):
                    act()
            server.close()  # a second time
        self.assertTrue(gone(left.pid))  # and the sandbox was closed with its server

        async def life() -> None:
            other = await aio.Server.start(PROGRAM)
            async with await other.open(directory()) as box:
                await other.close()
                with self.assertRaisesRegex(caisson.ConnectionLost, "closed"):
                    await box.run(["true"])
                await other.close()

        asyncio.run(life())

    def test_lost(self) -> None:
        """A server that is killed is an error, not a wait without end."""
        server = caisson.Server(PROGRAM)
        sandbox = server.open(directory())
        command = sandbox.start(["sleep", "1000"])
        os.kill(server.pid, signal.SIGKILL)
        with self.assertRaises(caisson.ConnectionLost):
            command.wait()
        server.close()


def _until_end(command: caisson.Command):  # type: ignore[no-untyped-def]
    import threading

    waiting = threading.Thread(target=command.wait)
    waiting.start()
    yield from command.output()
    waiting.join()


if __name__ == "__main__":
    unittest.main()
