// SPDX-License-Identifier: Apache-2.0

/**
 * A sandbox client for the OpenAI Agents SDK: the shell of an agent works on a
 * real checkout, in one open sandbox of caisson.
 *
 *     const client = new CaissonSandboxClient({ workspace: "/home/me/app" });
 *     await run(agent, "Fix the tests", { sandbox: { client } });
 *
 * Files are read and written by commands inside, never on the host's paths, where a
 * link that a command made could lead anywhere.
 */

import {
  normalizeSandboxClientCreateArgs,
  Manifest,
  type ExecCommandArgs,
  type ListDirectoryArgs,
  type MaterializeEntryArgs,
  type ReadFileArgs,
  type SandboxClient,
  type SandboxClientCreateArgs,
  type SandboxClientOptions,
  type SandboxDirectoryEntry,
  type SandboxExecResult,
  type SandboxSession,
  type SandboxSessionState,
  type WriteStdinArgs,
} from "@openai/agents/sandbox";

import { Server, type Command, type Grant, type Sandbox } from "./index.ts";

export interface CaissonSandboxClientOptions extends SandboxClientOptions {
  /** The directory that may be written, absolute. */
  workspace: string;
  /** Further flags of `caisson run`. */
  flags?: string[];
  grants?: Grant[];
  /** The command; looked for in PATH where it has no slash. */
  program?: string;
}

/** How long a command may run before its output so far is given, in milliseconds. */
const YIELD = 10_000;

/** How much output is kept of one command until it is asked for, in bytes. */
const MAX_OUTPUT = 1 << 20;

const MAX_FILE = 100 << 20;

export class CaissonSandboxClient implements SandboxClient<CaissonSandboxClientOptions, SandboxSessionState> {
  readonly backendId = "caisson";
  readonly supportsDefaultOptions = true;
  private readonly defaults: CaissonSandboxClientOptions;

  constructor(defaults: CaissonSandboxClientOptions) {
    this.defaults = defaults;
  }

  create = async (args?: SandboxClientCreateArgs<CaissonSandboxClientOptions> | Manifest, given?: CaissonSandboxClientOptions): Promise<CaissonSession> => {
    const { manifest, options } = normalizeSandboxClientCreateArgs<CaissonSandboxClientOptions>(args, given);
    const o = { ...this.defaults, ...options };
    const server = await Server.start(o.program ?? "caisson");
    try {
      const sandbox = await server.open(o.workspace, { flags: o.flags, grants: o.grants });
      const { version, entries, users, groups, extraPathGrants, remoteMountCommandAllowlist } = manifest;
      const rooted = new Manifest({ version, entries, users, groups, extraPathGrants, remoteMountCommandAllowlist, root: o.workspace });
      const environment = await manifest.resolveEnvironment();
      const session = new CaissonSession(server, sandbox, { manifest: rooted, environment, workspaceReady: true });
      for (const [path, entry] of Object.entries(entries)) await session.materializeEntry({ path, entry });
      return session;
    } catch (e) {
      await server.close();
      throw e;
    }
  };
}

/** What is running: its output since it was last asked for. */
interface Running {
  command: Command;
  text: { stdout: string; stderr: string };
  code: number | undefined;
  ended: Promise<void>;
}

export class CaissonSession implements SandboxSession {
  readonly sandbox: Sandbox;
  readonly state: SandboxSessionState;
  private readonly server: Server;
  private readonly commands = new Map<number, Running>();
  private last = 0;
  private closed = false;

  constructor(server: Server, sandbox: Sandbox, state: SandboxSessionState) {
    this.server = server;
    this.sandbox = sandbox;
    this.state = state;
  }

  supportsPty(): boolean {
    return true;
  }

  async running(): Promise<boolean> {
    return !this.closed;
  }

  async exec(args: ExecCommandArgs): Promise<SandboxExecResult> {
    refuseUser(args.runAs);
    const began = Date.now();
    const shell = args.shell ?? "/bin/sh";
    const command = await this.sandbox.start([shell, args.login ? "-lc" : "-c", args.cmd], {
      dir: args.workdir,
      env: this.state.environment,
      ...(args.tty ? { tty: { rows: 24, cols: 80 } } : { stdin: true }),
    });
    const running = follow(command);
    await within(running.ended, args.yieldTimeMs ?? YIELD);
    let sessionId: number | undefined;
    if (running.code === undefined) this.commands.set((sessionId = ++this.last), running);
    return taken(running, began, sessionId);
  }

  async execCommand(args: ExecCommandArgs): Promise<string> {
    return told(await this.exec(args), args.maxOutputTokens);
  }

  async writeStdin(args: WriteStdinArgs): Promise<string> {
    const running = this.commands.get(args.sessionId);
    if (!running) throw new Error(`there is no running command ${args.sessionId}`);
    const began = Date.now();
    if (args.chars && running.code === undefined) await running.command.write(args.chars).catch(() => false); // it may have ended just now
    await within(running.ended, args.yieldTimeMs ?? 250);
    if (running.code !== undefined) this.commands.delete(args.sessionId);
    return told(taken(running, began, running.code === undefined ? args.sessionId : undefined), args.maxOutputTokens);
  }

  async readFile(args: ReadFileArgs): Promise<Uint8Array> {
    refuseUser(args.runAs);
    const limit = args.maxBytes ?? MAX_FILE;
    const r = await this.sandbox.run(["head", "-c", String(limit), "--", args.path], { maxOutput: limit });
    if (r.code !== 0) throw new Error(`cannot read ${args.path}: ${r.stderr}`);
    return r.stdout;
  }

  async listDir(args: ListDirectoryArgs): Promise<SandboxDirectoryEntry[]> {
    refuseUser(args.runAs);
    const r = await this.sandbox.run(["find", args.path, "-mindepth", "1", "-maxdepth", "1", "-printf", "%y%f\\0"]);
    if (r.code !== 0) throw new Error(`cannot list ${args.path}: ${r.stderr}`);
    return String(r.stdout)
      .split("\0")
      .filter(Boolean)
      .map((line) => ({
        name: line.slice(1),
        path: `${args.path.replace(/\/$/, "")}/${line.slice(1)}`,
        type: line[0] === "f" ? "file" : line[0] === "d" ? "dir" : "other",
      }));
  }

  pathExists(path: string, runAs?: string): Promise<boolean> {
    return this.holds("-e", path, runAs);
  }

  directoryExists(path: string, runAs?: string): Promise<boolean> {
    return this.holds("-d", path, runAs);
  }

  private async holds(test: string, path: string, runAs?: string): Promise<boolean> {
    refuseUser(runAs);
    return (await this.sandbox.run(["test", test, path])).code === 0;
  }

  /** Files with their content, and directories of such; other entries are refused. */
  async materializeEntry({ path, entry, runAs }: MaterializeEntryArgs): Promise<void> {
    refuseUser(runAs);
    switch (entry.type) {
      case "file":
        await this.write(path, entry.content);
        return;
      case "dir":
        await this.must(["mkdir", "-p", "--", path]);
        for (const [name, inner] of Object.entries(entry.children ?? {})) await this.materializeEntry({ path: `${path}/${name}`, entry: inner });
        return;
    }
    throw new Error(`${path}: an entry of the kind ${entry.type} cannot be made here`);
  }

  private async write(path: string, content: string | Uint8Array): Promise<void> {
    const make = 'case $0 in */*) mkdir -p -- "${0%/*}/";; esac && exec cat > "$0"';
    await this.must(["sh", "-c", make, path], content);
  }

  private async must(argv: string[], input?: string | Uint8Array): Promise<void> {
    const r = await this.sandbox.run(argv, input === undefined ? {} : { input });
    if (r.code !== 0) throw new Error(`${argv.join(" ")}: ${r.stderr}`);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.server.close();
  }

  async shutdown(): Promise<void> {
    await this.close();
  }
}

function refuseUser(runAs?: string): void {
  if (runAs) throw new Error("commands of caisson run as the user who runs it");
}

/** Collects what a command writes, of each stream the last part. */
function follow(command: Command): Running {
  const running: Running = { command, text: { stdout: "", stderr: "" }, code: undefined, ended: Promise.resolve() };
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const read = async () => {
    for await (const { stream, data } of command.output()) {
      const to = stream === "stderr" ? "stderr" : "stdout";
      running.text[to] = (running.text[to] + decoders[to].decode(data, { stream: true })).slice(-MAX_OUTPUT);
    }
  };
  running.ended = Promise.all([command.wait(), read()]).then(
    ([outcome]) => void (running.code = outcome.exit.code),
    () => void (running.code = -1), // caisson has ended, and the command with it
  );
  return running;
}

function within(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function taken(running: Running, began: number, sessionId?: number): SandboxExecResult {
  const { stdout, stderr } = running.text;
  running.text = { stdout: "", stderr: "" };
  return {
    stdout,
    stderr,
    output: stdout + stderr,
    wallTimeSeconds: (Date.now() - began) / 1000,
    exitCode: running.code ?? null,
    ...(sessionId !== undefined && { sessionId }),
  };
}

/** The text that the model gets. A token is taken for four characters. */
function told(r: SandboxExecResult, maxTokens?: number): string {
  const state = r.sessionId === undefined ? `Process exited with code ${r.exitCode}` : `Process running with session ID ${r.sessionId}`;
  const limit = maxTokens === undefined ? r.output.length : maxTokens * 4;
  const cut = r.output.length > limit ? `${r.output.slice(0, limit)}\n[output cut]` : r.output;
  return `Wall time: ${r.wallTimeSeconds.toFixed(3)} seconds\n${state}\nOutput:\n${cut}`;
}
