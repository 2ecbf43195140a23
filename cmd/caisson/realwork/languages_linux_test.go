// SPDX-License-Identifier: Apache-2.0

package realwork

import "testing"

const goModule = `
cat >go.mod <<'E'
module example.org/tiny

go 1.21
E
cat >tiny.go <<'E'
// Package tiny answers.
package tiny

import ("fmt"; "net")

func Serve(l net.Listener) { c, _ := l.Accept(); fmt.Fprint(c, "answer"); c.Close() }
E
cat >tiny_test.go <<'E'
package tiny

import ("io"; "net"; "os"; "testing")

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil { t.Fatal(err) }
	go Serve(l)
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil { t.Fatal(err) }
	b, err := io.ReadAll(c)
	if string(b) != "answer" { t.Fatal(string(b), err) }
	if err := os.WriteFile(t.TempDir()+"/x", b, 0o600); err != nil { t.Fatal(err) }
}

func FuzzNothing(f *testing.F) { f.Add("x"); f.Fuzz(func(t *testing.T, s string) {}) }
E
mkdir cmd
cat >cmd/main.go <<'E'
package main

import "os"

func main() { println("built"); os.Exit(len(os.Args) - 1) }
E
`

const pythonWork = `
import fcntl, mmap, multiprocessing, os, socket, sqlite3, subprocess, sys, tempfile, threading

def square(n): return n * n

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(3) as p: print(method, p.map(square, range(5)))
    q = multiprocessing.Queue(); q.put("queued"); print(q.get())
    with multiprocessing.Manager() as m: d = m.dict(); d[1] = 2; print(dict(d))
    from multiprocessing import shared_memory
    s = shared_memory.SharedMemory(create=True, size=100); s.buf[0] = 7; print(s.buf[0]); s.close(); s.unlink()
    db = sqlite3.connect("db"); print(db.execute("pragma journal_mode=wal").fetchone())
    db.execute("create table t(x)"); db.executemany("insert into t values (?)", [(i,) for i in range(1000)]); db.commit()
    print(sqlite3.connect("db").execute("select sum(x) from t").fetchone()); db.close()
    for name in ("./sock", os.path.join(tempfile.gettempdir(), "realwork%d" % os.getpid()), "\0abstract%d" % os.getpid()):
        l = socket.socket(socket.AF_UNIX); l.bind(name); l.listen()
        t = threading.Thread(target=lambda: l.accept()[0].sendall(b"unix")); t.start()
        c = socket.socket(socket.AF_UNIX); c.connect(name); print(c.recv(9)); t.join(); c.close(); l.close()
        if name[0] != "\0": os.unlink(name)
    a, b = socket.socketpair(); a.sendmsg([b"fd"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, (1).to_bytes(4, "little"))]); print(b.recvmsg(9, 99)[0])
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET); a.send(b"seq"); print(b.recv(9))
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        u = socket.socket(family, socket.SOCK_DGRAM); u.bind((host, 0)); u.sendto(b"udp", u.getsockname()); print(u.recv(9))
    print(subprocess.run(["sh", "-c", "cat; exit 3"], input=b"in", capture_output=True))
    with open("map", "wb+") as f: f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); m[0:3] = b"map"; m.flush(); fcntl.lockf(f, fcntl.LOCK_EX); print(m[:3])
    os.setxattr("map", "user.note", b"n"); print(os.getxattr("map", "user.note"))
    r, w = os.pipe(); os.write(w, b"p"); print(os.read(r, 1), os.sched_getaffinity(0) != set(), os.getloadavg() != ())
`

const inotify = `
import ctypes, os, struct
c = ctypes.CDLL(None, use_errno=True)
fd = c.inotify_init1(0); assert fd >= 0 and c.inotify_add_watch(fd, b".", 0x100 | 0x200 | 0x8) > 0
open("new", "w").close(); os.unlink("new")
data, names = os.read(fd, 4096), []
while data:
    _, mask, _, n = struct.unpack("iIII", data[:16]); names.append((mask, data[16:16+n].rstrip(b"\0"))); data = data[16+n:]
print(names)
`

// wheel builds a wheel by hand, for there may be no builder.
const wheel = `
import base64, hashlib, zipfile
files = {"tiny_pkg.py": "def main(): print('from a wheel')\n",
         "tiny_pkg-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-pkg\nVersion: 1\n",
         "tiny_pkg-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
         "tiny_pkg-1.dist-info/entry_points.txt": "[console_scripts]\ntiny = tiny_pkg:main\n"}
record = "".join("%s,sha256=%s,%d\n" % (n, base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).rstrip(b"=").decode(), len(t)) for n, t in files.items())
files["tiny_pkg-1.dist-info/RECORD"] = record + "tiny_pkg-1.dist-info/RECORD,,\n"
with zipfile.ZipFile("tiny_pkg-1-py3-none-any.whl", "w") as z:
    for n, t in files.items(): z.writestr(n, t)
`

const nodePackage = `
mkdir dep && cat >dep/package.json <<'E'
{"name": "dep", "version": "1.0.0", "main": "i.js", "bin": {"dep": "i.js"}, "scripts": {"postinstall": "node -e \"require('fs').writeFileSync('ran', process.env.npm_lifecycle_event)\""}}
E
printf '#!/usr/bin/env node\nmodule.exports = 42; console.log("dep")\n' >dep/i.js && chmod +x dep/i.js
(cd dep && npm pack --silent --offline >/dev/null) && mv dep/dep-1.0.0.tgz . && rm -r dep
cat >package.json <<'E'
{"name": "app", "version": "1.0.0", "private": true, "scripts": {"test": "node --test t.test.js >log && dep && node w.js", "fail": "exit 9"}}
E
printf 'require("node:test")("t", () => require("dep"))\n' >t.test.js
cat >w.js <<'E'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (isMainThread) {
  const cp = require('child_process'), http = require('http'), fs = require('fs'), net = require('net');
  new Worker(__filename, { workerData: 20 }).on('message', m => {
    console.log('worker', m, cp.execFileSync('sh', ['-c', 'echo child']).toString().trim());
    const f = cp.fork('f.js'); f.on('message', m => { console.log('forked', m); f.disconnect(); serve(); });
  });
  const serve = () => { const s = http.createServer((q, r) => r.end('served')).listen(0, '127.0.0.1', () =>
    http.get({ port: s.address().port, host: '127.0.0.1', agent: false }, r => r.on('data', d => console.log(String(d))).on('end', () => { s.close(); watch(); }))); };
  const watch = () => { const w = fs.watch('.', (e, n) => { if (n === 'seen') { console.log(e); w.close(); } }); fs.writeFileSync('seen', ''); };
} else parentPort.postMessage(workerData + 1);
E
echo 'process.send("message")' >f.js
`

func TestLanguages(t *testing.T) {
	t.Parallel()
	runRows(t, []row{
		{name: "go", needs: []string{"go", "git"}, long: true, warm: true, setup: "mkdir -p $GOCACHE\n" + goModule + "git init -q; git add .; git commit -qm go",
			flags: []string{"--write", "$GOCACHE", "--env", "GOCACHE=$GOCACHE"}, steps: []string{
				"go vet ./... && go build -o main ./cmd && ./main; ./main 1 2 || echo $?", "go test ./... 2>&1; go test -count=1 -run Serve . && go list ./...; gofmt -l . | wc -l; go mod tidy; go mod verify",
			}, mask: []string{`[0-9.]+s\b`, `\(cached\)`,
				`go: writing stat cache: .*\n`}, ignore: "^main$"},
		{name: "npm", needs: []string{"npm", "node"}, setup: nodePackage, steps: []string{
			"npm install --offline --no-audit --no-fund ./dep-1.0.0.tgz 2>&1; cat node_modules/dep/ran", "npm test --silent; npm run --silent fail || echo $?", "npm ls; npm ci --offline --silent --no-audit; npx --offline dep",
		}, mask: []string{`in [0-9.]+m?s`, `npm (notice|error A complete|ERR! A complete).*`}, ignore: "^log$"},
		{name: "python", needs: []string{"python3"}, setup: "cat >w.py <<'E'" + pythonWork + "E\n", steps: []string{"python3 w.py"}, ignore: `^db|^sock$`},
		{name: "inotify", needs: []string{"python3"}, setup: "cat >w.py <<'E'" + inotify + "E\n", steps: []string{"python3 w.py"}},
		{name: "venv and pip", needs: []string{"python3"}, long: true, setup: "python3 -c 'import ensurepip'; python3 - <<'E'" + wheel + "E\n", steps: []string{
			"python3 -m venv v; v/bin/pip install -q --no-index ./tiny_pkg-1-py3-none-any.whl; v/bin/tiny",
			"v/bin/pip list --format freeze | grep tiny; . v/bin/activate; tiny; python -c 'import sys; print(sys.prefix != sys.base_prefix)'; pip uninstall -qy tiny-pkg",
		}, ignore: "^v/|whl$"},
	})
}
