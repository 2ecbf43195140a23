// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { ConnectionLost, Refused, Server } from "../src/index.ts";

const program = process.env["CAISSON"]!;
const directory = () => mkdtempSync(join(process.env["CAISSON_TEST_DIR"]!, "day-"));

function gone(pid: number): boolean {
  try {
    return /^[ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, ""));
  } catch {
    return true;
  }
}

async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !holds(); await new Promise((r) => setTimeout(r, 10))) {
    assert.ok(Date.now() < end, what);
  }
}

// A client that the test of death kills.
if (process.argv[2] === "client") {
  const server = await Server.start(program);
  const sandbox = await server.open(directory());
  const one = await sandbox.start(["sleep", "1000"]);
  const two = await sandbox.start(["sh", "-c", "setsid sleep 1000"]);
  console.log(JSON.stringify([server.pid, one.pid, two.pid]));
  await new Promise(() => {});
}

const web = `
const s = require("http").createServer((_, r) => r.end("asked"));
s.listen(0, "127.0.0.1", () => console.log(s.address().port));`;
const ask = `fetch("http://127.0.0.1:" + process.argv[1]).then(r => r.text()).then(t => console.log(t))`;

test("the day", async () => {
  const work = directory();
  const outside = directory();
  const server = await Server.start(program);
  try {
    const sandbox = await server.open(work, { reason: "the day" });
    assert.ok("net.offline" in sandbox.info.claims);
    // a server in the background, asked by the next command
    const background = await sandbox.start([process.execPath, "-e", web]);
    const { value } = await background.output().next();
    const port = String(value!.data).trim();
    const asked = await sandbox.run([process.execPath, "-e", ask, port]);
    assert.equal(String(asked.stdout), "asked\n", String(asked.stderr));
    await sandbox.run(["sh", "-c", "echo kept > /tmp/out"]);
    assert.equal(String((await sandbox.run(["cat", "/tmp/out"])).stdout), "kept\n");
    // a test that fails, one that takes too long
    const failed = await sandbox.run(["sh", "-c", "echo why >&2; exit 3"]);
    assert.deepEqual([failed.code, String(failed.stderr), failed.outcome.reason], [3, "why\n", "the day"]);
    const late = await sandbox.run(["sleep", "1000"], { timeout: 100 });
    assert.deepEqual([late.code, late.timedOut], [124, true]);
    // one that has less: what it may not do the next may
    await sandbox.run(["sh", "-c", "echo kept > kept; echo hidden > secret"]);
    const less = ["sh", "-c", "! { echo x > new; } 2>/dev/null && ! cat secret 2>/dev/null && cat kept"];
    assert.equal(String((await sandbox.run(less, { readOnly: true, hide: ["secret"] })).stdout), "kept\n");
    assert.notEqual((await sandbox.run(["rm", "-f", "kept"], { protect: ["kept"] })).code, 0);
    assert.equal(String((await sandbox.run(["sh", "-c", "echo x > new && rm kept && cat secret"])).stdout), "hidden\n");
    // an interactive one
    const shell = await sandbox.start(["sh"], { tty: { rows: 31, cols: 97 } });
    await shell.resize(41, 107);
    await shell.write("stty size; exit 5\n");
    const screen = await shell.communicate();
    assert.match(String(screen.stdout), /41 107/);
    assert.equal(screen.code, 5);
    // input beyond every buffer, output that is bounded, an end by the caller
    const big = randomBytes(3 << 20);
    assert.ok((await sandbox.run(["cat"], { input: big })).stdout.equals(big));
    const cut = await sandbox.run(["head", "-c", "3000000", "/dev/zero"], { maxOutput: 10 });
    assert.deepEqual([cut.stdout.length, cut.truncated], [10, true]);
    await assert.rejects(sandbox.run(["sleep", "1000"], { signal: AbortSignal.timeout(100) }), { name: "TimeoutError" });
    await assert.rejects(sandbox.run(["no-such-command"]), (e) => e instanceof Refused && e.code === "command-not-found" && e.outcome!.exit.code === 127);
    await assert.rejects(server.open("relative"), Refused);
    // one that is denied, granted, and run again in another sandbox
    const target = join(outside, "file");
    const write = ["sh", "-c", 'echo hi > "$0"', target];
    assert.notEqual((await sandbox.run(write)).code, 0);
    assert.ok(!existsSync(target));
    const answer = await sandbox.explain(outside);
    assert.equal(answer.write, false);
    await sandbox.close();
    assert.ok(gone(background.pid));
    const again = await server.open(work, { grants: [answer.grant!], reason: "the person agreed" });
    assert.equal((await again.run(write)).code, 0);
    assert.ok(existsSync(target));
  } finally {
    await server.close();
  }
});

test("many at once", async () => {
  const server = await Server.start(program);
  try {
    const sandbox = await server.open(directory());
    const all = await Promise.all(Array.from({ length: 200 }, (_, i) => sandbox.run(["sh", "-c", "echo $0", String(i)])));
    assert.deepEqual(all.map((r) => String(r.stdout)), Array.from({ length: 200 }, (_, i) => `${i}\n`));
  } finally {
    await server.close();
  }
});

test("a client that is killed leaves nothing", async () => {
  const owner = spawn(process.execPath, [fileURLToPath(import.meta.url), "client"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(owner.stdout, "data");
  const pids: number[] = JSON.parse(String(line));
  assert.ok(pids.length === 3 && !pids.some(gone));
  owner.kill("SIGKILL");
  await eventually("all are gone", () => pids.every(gone));
});

test("a server that is closed is an error, and takes all along", async () => {
  const server = await Server.start(program);
  const sandbox = await server.open(directory());
  const left = await sandbox.start(["sleep", "1000"]);
  const waiting = assert.rejects(left.wait(), (e) => e instanceof ConnectionLost && /closed/.test(e.message));
  await server.close();
  await waiting;
  assert.ok(gone(left.pid));
  for (const act of [() => server.open(directory()), () => sandbox.run(["true"]), () => sandbox.explain("/etc"), () => left.signal("KILL")]) {
    await assert.rejects(act, (e) => e instanceof ConnectionLost && /closed/.test(e.message));
  }
  await sandbox.close();
  await server.close();
});

test("a server that is killed is an error", async () => {
  const server = await Server.start(program);
  const command = await (await server.open(directory())).start(["sleep", "1000"]);
  process.kill(server.pid!, "SIGKILL");
  await assert.rejects(command.wait(), ConnectionLost);
  await server.close();
});
