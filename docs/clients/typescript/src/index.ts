// SPDX-License-Identifier: Apache-2.0

/**
 * Open sandboxes of caisson, through `caisson serve`.
 *
 *     const server = await Server.start();
 *     const sandbox = await server.open("/home/me/app");
 *     const { code, stdout } = await sandbox.run(["npm", "test"], { timeout: 600_000 });
 *     await server.close();
 */

import { spawn, type ChildProcess } from "node:child_process";

const PROTOCOL = 1;

/** How much output of one command is under way until it is read, in bytes. */
const WINDOW = 1 << 20;

/** How much is written to a command in one message, in bytes. */
const CHUNK = 256 << 10;

/** What widens a policy. Pass it to `open` when a person agreed. */
export interface Grant {
  kind: string;
  value: string;
  args: string[];
  policy: string | null;
}

/** A refusal or a finding; the codes are in docs/diagnostics.md. */
export interface Diagnostic {
  code: string;
  message: string;
  remedy?: string;
  grant: Grant | null;
}

/** The result of a command, as `caisson run --result` writes it. */
export interface Outcome {
  schema: 1;
  caisson: string;
  backend: string;
  policy_digest: string;
  claims: Record<string, { by: string; note?: string }>;
  weakened: string[];
  started: boolean;
  exit: { code: number; signal: number | null; timed_out: boolean; limit: string | null };
  elapsed_ms: number;
  usage: { user_ms: number; system_ms: number; max_rss: number };
  denials: Denial[] | null;
  denials_more?: number;
  /** What the command had less than its sandbox; absent for nothing. */
  less?: { guarantees: string[]; read_only: string[]; protect: string[]; hide: string[] };
  diagnostics: Diagnostic[];
  reason?: string;
}

/** One act that was refused inside. */
export interface Denial {
  source: string;
  operation: string;
  target: string;
  escaped?: boolean;
  count: number;
  rule: Record<string, unknown>;
  grant: Grant | null;
}

/** What the policy means for a path, host or socket. */
export interface Explanation {
  target: string;
  read?: boolean;
  write?: boolean;
  reach?: boolean;
  rule: Record<string, unknown>;
  remedy: string;
  grant: Grant | null;
}

/** How a command ended, and what it wrote. */
export interface Result {
  /** The exit status, as `caisson run` gives it: 128+N for signal N, 124 for a time that is over. */
  code: number;
  timedOut: boolean;
  stdout: Buffer;
  stderr: Buffer;
  /** Output beyond the bound was dropped. */
  truncated: boolean;
  outcome: Outcome;
}

export interface OpenOptions {
  /** Further flags of `caisson run`. */
  flags?: string[];
  grants?: Grant[];
  /** What a file of --policy holds. */
  policy?: Record<string, unknown>;
  /** It goes to the results. */
  reason?: string;
}

export interface StartOptions {
  /** Where it starts; the first workspace otherwise. */
  dir?: string;
  /** Variables to change, and with null to take away. */
  env?: Record<string, string | null>;
  stdin?: boolean;
  tty?: { rows: number; cols: number };
  /** How long it may take, in milliseconds. */
  timeout?: number;
  /** It writes nothing but temporary directories and caches. */
  readOnly?: boolean;
  /** It does not change what is at these paths, taken from dir. */
  protect?: string[];
  /** It neither reads nor lists what is at these paths, taken from dir. */
  hide?: string[];
}

export interface RunOptions extends Omit<StartOptions, "stdin" | "tty"> {
  input?: string | Uint8Array;
  /** How much of each stream is kept, in bytes. */
  maxOutput?: number;
  /** The command is killed when this is aborted. */
  signal?: AbortSignal;
}

interface RpcError {
  code: number;
  message: string;
  data?: { diagnostic: Diagnostic; unmet?: Unmet[]; result?: Outcome };
}

/** A guarantee that is out of reach. */
export interface Unmet {
  id: string;
  reason: string;
  remedy?: string;
  grant: Grant | null;
}

/** caisson refused something. */
export class Refused extends Error {
  readonly rpcCode: number;
  readonly diagnostic: Diagnostic;
  readonly unmet: Unmet[];
  /** The result of a command that was not started. */
  readonly outcome: Outcome | undefined;

  constructor(error: RpcError) {
    super(error.message);
    this.name = "Refused";
    this.rpcCode = error.code;
    this.diagnostic = error.data?.diagnostic ?? { code: "", message: error.message, grant: null };
    this.unmet = error.data?.unmet ?? [];
    this.outcome = error.data?.result;
  }

  get code(): string {
    return this.diagnostic.code;
  }

  /** The narrowest grant that helps, if any does. */
  get grant(): Grant | null {
    return this.diagnostic.grant;
  }
}

/** caisson serve has ended; so has everything that ran in it. */
export class ConnectionLost extends Error {}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** One `caisson serve`. With its end, everything ends that it holds. */
export class Server {
  /** What initialize answered: version, limits, what this host can do. */
  info: Record<string, unknown> = {};
  private last = 0;
  private readonly waiting = new Map<number, Waiting>();
  /** @internal */
  readonly commands = new Map<string, Command>();
  private lost: Error | undefined;
  /** close was called. */
  closed = false;
  private readonly ended: Promise<void>;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.ended = new Promise((resolve) => {
      child.once("close", () => {
        this.fail(new ConnectionLost(this.closed ? "the server is closed" : "caisson serve has ended"));
        resolve();
      });
      child.once("error", (e) => {
        this.fail(e);
        resolve();
      });
    });
    child.stdin!.on("error", () => {}); // its end is told by "close"
    const parts: Buffer[] = [];
    child.stdout!.on("data", (data: Buffer) => {
      let from = 0;
      for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, from)) {
        parts.push(data.subarray(from, at));
        from = at + 1;
        this.take(JSON.parse(Buffer.concat(parts.splice(0)).toString("utf8")));
      }
      if (from < data.length) parts.push(data.subarray(from));
    });
  }

  /** Starts the program, which is looked for in PATH. */
  static async start(program = "caisson", options: { env?: NodeJS.ProcessEnv } = {}): Promise<Server> {
    const server = new Server(spawn(program, ["serve"], { stdio: ["pipe", "pipe", "inherit"], env: options.env }));
    try {
      server.info = (await server.call("initialize", { protocol: PROTOCOL, client: { name: "caisson-typescript", version: "1" } })) as typeof server.info;
    } catch (e) {
      await server.close();
      throw e;
    }
    return server;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Ends the program and everything that it holds, and waits until it is gone. */
  async close(): Promise<void> {
    this.closed = true;
    this.child.stdin!.end();
    await this.ended;
  }

  private fail(error: Error): void {
    this.lost ??= error;
    for (const w of this.waiting.values()) w.reject(this.lost);
    this.waiting.clear();
    for (const c of this.commands.values()) c.end();
    this.commands.clear();
  }

  private take(message: any): void {
    if (message.method === "command.output") {
      const { command, stream, data } = message.params;
      this.commands.get(command)?.push(stream, Buffer.from(data, "base64")); // it was waited for otherwise
      return;
    }
    const w = this.waiting.get(message.id);
    if (!w) return;
    this.waiting.delete(message.id);
    if (message.error) w.reject(new Refused(message.error));
    else w.resolve(message.result);
  }

  /** @internal */
  send(message: object): void {
    this.child.stdin!.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
  }

  /**
   * Asks for something and waits for the answer. `then` makes of it what is
   * returned, before anything later is read.
   */
  call<T = unknown>(method: string, params: object, then: (answer: any) => T = (answer) => answer): Promise<T> {
    if (this.lost) return Promise.reject(this.lost);
    const id = ++this.last;
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve: (answer) => resolve(then(answer)), reject });
      this.send({ id, method, params });
    });
  }

  /** Opens a sandbox. The workspace is what may be written: absolute directories. */
  open(workspace: string | string[], options: OpenOptions = {}): Promise<Sandbox> {
    return this.call("sandbox.open", policyOf(workspace, options), (opened) => new Sandbox(this, opened));
  }

  /** Says whether PATH, net:HOST:PORT or unix:PATH may be read, written or reached. */
  explain(workspace: string | string[], target: string, options: OpenOptions = {}): Promise<Explanation> {
    return this.call("explain", { ...policyOf(workspace, options), target });
  }
}

function policyOf(workspace: string | string[], o: OpenOptions): object {
  return {
    workspace: typeof workspace === "string" ? [workspace] : workspace,
    flags: [...(o.flags ?? []), ...(o.grants ?? []).flatMap((g) => g.args)],
    ...(o.policy && { policy: o.policy }),
    ...(o.reason && { reason: o.reason }),
  };
}

/** What sandbox.open answers. */
export interface Opened {
  sandbox: string;
  backend: string;
  policy_digest: string;
  workspace: string[];
  claims: Record<string, { by: string; note?: string }>;
  weakened: string[];
  diagnostics: Diagnostic[];
}

/** One open sandbox: one policy, one temporary directory, one loopback, many commands. */
export class Sandbox {
  readonly server: Server;
  readonly info: Opened;
  private closed = false;

  /** @internal */
  constructor(server: Server, info: Opened) {
    this.server = server;
    this.info = info;
  }

  get id(): string {
    return this.info.sandbox;
  }

  /** Ends everything in it, and waits until it is gone. */
  async close(): Promise<void> {
    if (this.closed || this.server.closed) return; // which has taken it along
    this.closed = true;
    await this.server.call("sandbox.close", { sandbox: this.id });
  }

  explain(target: string): Promise<Explanation> {
    return this.server.call("explain", { sandbox: this.id, target });
  }

  start(argv: string[], o: StartOptions = {}): Promise<Command> {
    const params = {
      sandbox: this.id,
      argv,
      window: WINDOW,
      ...(o.dir !== undefined && { dir: o.dir }),
      ...(o.env && { env: o.env }),
      ...(o.stdin && { stdin: true }),
      ...(o.tty && { tty: o.tty }),
      ...(o.timeout !== undefined && { timeout_ms: Math.max(1, Math.floor(o.timeout)) }),
      ...(o.readOnly && { read_only: true }),
      ...(o.protect?.length && { protect: o.protect }),
      ...(o.hide?.length && { hide: o.hide }),
    };
    return this.server.call("command.start", params, (started) => new Command(this.server, started.command, started.pid));
  }

  /** Runs a command to its end. */
  async run(argv: string[], o: RunOptions = {}): Promise<Result> {
    const { input, maxOutput, signal, ...rest } = o;
    signal?.throwIfAborted();
    const command = await this.start(argv, { ...rest, stdin: input !== undefined });
    const kill = () => void command.signal("KILL").catch(() => {}); // it has ended
    signal?.addEventListener("abort", kill);
    try {
      if (signal?.aborted) kill();
      const result = await command.communicate(input, maxOutput);
      signal?.throwIfAborted();
      return result;
    } finally {
      signal?.removeEventListener("abort", kill);
    }
  }
}

/** A piece of what a command wrote. */
export interface Piece {
  stream: "stdout" | "stderr" | "tty";
  data: Buffer;
}

/** One command of a sandbox. */
export class Command {
  readonly id: string;
  readonly pid: number;
  private readonly server: Server;
  private readonly pieces: Piece[] = [];
  private ended = false;
  private wake: (() => void) | undefined;
  private outcome: Promise<Outcome> | undefined;

  /** @internal */
  constructor(server: Server, id: string, pid: number) {
    this.server = server;
    this.id = id;
    this.pid = pid;
    server.commands.set(id, this);
  }

  /** @internal */
  push(stream: Piece["stream"], data: Buffer): void {
    this.pieces.push({ stream, data });
    this.wake?.();
  }

  /** @internal */
  end(): void {
    this.ended = true;
    this.wake?.();
  }

  /** What it writes, until it was waited for. A command whose output nobody reads stops in time. */
  async *output(): AsyncGenerator<Piece> {
    for (;;) {
      const piece = this.pieces.shift();
      if (piece) {
        this.server.send({ method: "command.more", params: { command: this.id, bytes: piece.data.length } });
        yield piece;
      } else if (this.ended) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    }
  }

  /** Writes to its input; false when it takes no more. */
  async write(data: string | Uint8Array): Promise<boolean> {
    const bytes = Buffer.from(data as string);
    for (let at = 0; at < bytes.length; at += CHUNK) {
      const piece = bytes.subarray(at, at + CHUNK).toString("base64");
      const { closed } = await this.server.call<{ closed: boolean }>("command.stdin", { command: this.id, data: piece });
      if (closed) return false;
    }
    return true;
  }

  /** Ends its input. */
  async closeStdin(): Promise<void> {
    await this.server.call("command.stdin", { command: this.id, eof: true });
  }

  async resize(rows: number, cols: number): Promise<void> {
    await this.server.call("command.resize", { command: this.id, rows, cols });
  }

  /** Sends a signal by its name, as INT. KILL kills its descendants too. */
  async signal(name: string): Promise<void> {
    await this.server.call("command.signal", { command: this.id, signal: name });
  }

  /** Waits for its end. May be called again. */
  wait(): Promise<Outcome> {
    this.outcome ??= this.server.call<Outcome>("command.wait", { command: this.id }, (outcome) => {
      this.server.commands.delete(this.id);
      this.end();
      return outcome;
    });
    return this.outcome;
  }

  /** Writes the input, reads all output and waits for the end. */
  async communicate(input?: string | Uint8Array, maxOutput = 16 << 20): Promise<Result> {
    const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    const left = { stdout: maxOutput, stderr: maxOutput };
    let truncated = false;
    const feed = async () => {
      if (input !== undefined && (await this.write(input))) await this.closeStdin();
    };
    const fed = feed().catch((e) => {
      if (!(e instanceof Refused)) throw e; // it has ended otherwise
    });
    const read = async () => {
      for await (const { stream, data } of this.output()) {
        const to = stream === "stderr" ? "stderr" : "stdout";
        const part = data.subarray(0, left[to]);
        truncated ||= part.length < data.length;
        left[to] -= part.length;
        kept[to].push(part);
      }
    };
    const [outcome] = await Promise.all([this.wait(), read(), fed]);
    return {
      code: outcome.exit.code,
      timedOut: outcome.exit.timed_out,
      stdout: Buffer.concat(kept.stdout),
      stderr: Buffer.concat(kept.stderr),
      truncated,
      outcome,
    };
  }
}
