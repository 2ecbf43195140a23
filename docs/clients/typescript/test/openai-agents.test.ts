// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Runner, Usage, type Model, type ModelRequest, type ModelResponse } from "@openai/agents";
import { Manifest, SandboxAgent, file, shell } from "@openai/agents/sandbox";

import { CaissonSandboxClient } from "../src/openai-agents.ts";

const program = process.env["CAISSON"]!;
const directory = () => mkdtempSync(join(process.env["CAISSON_TEST_DIR"]!, "agents-"));

/** A model that asks for each command in turn, and then ends. */
class Scripted implements Model {
  readonly seen: string[] = [];
  private readonly commands: string[];

  constructor(commands: string[]) {
    this.commands = commands;
  }

  async getResponse(request: ModelRequest): Promise<ModelResponse> {
    const last = Array.isArray(request.input) ? (request.input.at(-1) as any) : undefined;
    if (last?.type === "function_call_result") this.seen.push(typeof last.output === "string" ? last.output : last.output.text);
    const cmd = this.commands.shift();
    const output: any[] =
      cmd === undefined
        ? [{ type: "message", role: "assistant", status: "completed", content: [{ type: "output_text", text: "done" }] }]
        : [{ type: "function_call", callId: `c${this.commands.length}`, name: "exec_command", status: "completed", arguments: JSON.stringify({ cmd, login: false }) }];
    return { usage: new Usage(), output };
  }

  async *getStreamedResponse(): AsyncGenerator<never> {
    throw new Error("not streamed");
  }
}

test("an agent of the SDK", async () => {
  const workspace = directory();
  const outside = join(directory(), "file");
  const model = new Scripted(["echo made > file; cat given", `echo hi > ${outside}`]);
  const agent = new SandboxAgent({ name: "a", model, capabilities: [shell()], defaultManifest: new Manifest({ entries: { given: file({ content: "from the manifest\n" }) } }) });
  const runner = new Runner({ tracingDisabled: true, sandbox: { client: new CaissonSandboxClient({ workspace, program }) } } as any);
  const result = await runner.run(agent, "go");
  assert.equal(result.finalOutput, "done");
  assert.match(model.seen[0]!, /code 0\nOutput:\nfrom the manifest/);
  assert.match(model.seen[1]!, /code [1-9]/);
  assert.equal(readFileSync(join(workspace, "file"), "utf8"), "made\n");
  assert.ok(!existsSync(outside));
});

test("the session of a client", async () => {
  const workspace = directory();
  const session = await new CaissonSandboxClient({ workspace, program }).create();
  try {
    const r = await session.exec({ cmd: "echo out; echo err >&2; exit 3" });
    assert.deepEqual([r.stdout, r.stderr, r.exitCode], ["out\n", "err\n", 3]);
    const slow = await session.exec({ cmd: "read line; echo got $line", yieldTimeMs: 50 });
    assert.equal(typeof slow.sessionId, "number");
    assert.match(await session.writeStdin({ sessionId: slow.sessionId!, chars: "it\n", yieldTimeMs: 60_000 }), /code 0\nOutput:\ngot it/);
    const tty = await session.exec({ cmd: "test -t 0 && stty size", tty: true });
    assert.match(tty.output, /24 80/);
    // files, and a link that leads out
    await session.materializeEntry({ path: "deep/file", entry: file({ content: new Uint8Array([255, 0]) }) });
    assert.deepEqual([...(await session.readFile({ path: "deep/file" }))], [255, 0]);
    assert.deepEqual(await session.listDir({ path: "deep" }), [{ name: "file", path: "deep/file", type: "file" }]);
    assert.deepEqual([await session.pathExists("absent"), await session.directoryExists("deep")], [false, true]);
    const victim = join(directory(), "victim");
    writeFileSync(victim, "kept");
    symlinkSync(victim, join(workspace, "link"));
    await assert.rejects(session.materializeEntry({ path: "link", entry: file({ content: "overwritten" }) }));
    assert.equal(readFileSync(victim, "utf8"), "kept");
  } finally {
    await session.close();
  }
  assert.equal(await session.running(), false);
});
