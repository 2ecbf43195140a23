# SPDX-License-Identifier: Apache-2.0
"""The adapters, against the real command and stand-ins for their harnesses."""

import asyncio
import os
import sys
import tempfile
import types
import unittest
from dataclasses import dataclass
from typing import Any

PROGRAM = os.environ["CAISSON"]


class Submitted(Exception):
    pass


@dataclass
class ExecResult:
    success: bool
    returncode: int
    stdout: str
    stderr: str


class OutputLimitExceededError(Exception):
    pass


def stand_in() -> None:
    for name, content in {
        "minisweagent": {}, "minisweagent.exceptions": {"Submitted": Submitted}, "inspect_ai": {},
        "inspect_ai.util": {
            "ExecResult": ExecResult, "OutputLimitExceededError": OutputLimitExceededError,
            "SandboxEnvironment": object, "sandboxenv": lambda name: lambda cls: cls,
        },
    }.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        sys.modules[name] = module


class Adapters(unittest.TestCase):
    def setUp(self) -> None:
        stand_in()

    def test_minisweagent(self) -> None:
        from caisson.adapters.minisweagent import CaissonEnvironment

        work = tempfile.mkdtemp(dir=os.environ["CAISSON_TEST_DIR"])
        e = CaissonEnvironment(cwd=work, env={"PAGER": "cat"}, timeout=5, program=PROGRAM)
        try:
            got = e.execute({"command": "echo $PAGER; pwd; echo err >&2; exit 4"})
            self.assertEqual(got, {"output": f"cat\n{work}\nerr\n", "returncode": 4, "exception_info": ""})
            self.assertEqual(e.execute({"command": "sleep 1000"}, timeout=1)["returncode"], -1)
            self.assertNotEqual(e.execute({"command": "echo hi > ../outside"})["returncode"], 0)
            self.assertFalse(os.path.exists(os.path.join(work, "..", "outside")))
            with self.assertRaises(Submitted) as done:
                e.execute({"command": "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT; echo patch"})
            self.assertEqual(done.exception.args[0]["content"], "patch\n")
            self.assertEqual(e.serialize()["info"]["config"]["environment"]["cwd"], work)
            self.assertEqual(e.get_template_vars(task="t")["task"], "t")
        finally:
            e.close()

    def test_inspect(self) -> None:
        from caisson.adapters.inspect import CaissonSandboxEnvironment

        async def main() -> None:
            environments: Any = await CaissonSandboxEnvironment.sample_init("task", None, {})
            e = environments["default"]
            try:
                got = await e.exec(["sh", "-c", "cat; echo $A >&2"], input="in", env={"A": "a"})
                self.assertEqual(got, ExecResult(True, 0, "in", "a\n"))
                self.assertEqual((await e.exec(["no-such-command"])).returncode, 127)
                with self.assertRaises(TimeoutError):
                    await e.exec(["sleep", "1000"], timeout=1)
                await e.write_file("deep/below/file", "text")
                self.assertEqual(await e.read_file("deep/below/file"), "text")
                await e.write_file("bytes", b"\xff\0")
                self.assertEqual(await e.read_file("bytes", text=False), b"\xff\0")
                with self.assertRaises(FileNotFoundError):
                    await e.read_file("absent")
                with self.assertRaises(IsADirectoryError):
                    await e.read_file("deep")
                # a link that a command makes leads nowhere that the command could not go
                victim = os.path.join(os.environ["CAISSON_TEST_DIR"], "victim")
                with open(victim, "w") as f:
                    f.write("kept")
                await e.exec(["ln", "-s", victim, "link"])
                with self.assertRaises(PermissionError):
                    await e.write_file("link", "overwritten")
                with open(victim) as f:
                    self.assertEqual(f.read(), "kept")
                directory = e._directory
            finally:
                await CaissonSandboxEnvironment.sample_cleanup("task", None, environments, False)
            self.assertFalse(os.path.exists(directory))

        asyncio.run(main())


if __name__ == "__main__":
    unittest.main()
