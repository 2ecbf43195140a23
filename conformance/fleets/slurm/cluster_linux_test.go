// SPDX-License-Identifier: Apache-2.0

package slurm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds what must happen. Nothing is judged by how long it takes.
const patience = 5 * time.Minute

// nodes are the names of the machines of the cluster.
func nodes() []string { return []string{"n1", "n2", "n3"} }

// cluster is a controller and nodes, each with its own ports, all on 127.0.0.1.
type cluster struct {
	dir     string // everything of it
	config  string // slurm.conf
	caisson string // the command, as users build it
	account user.User
	uid     int
	gid     int
	daemons map[string]*exec.Cmd
}

// startCluster starts one, which ends with the test.
func startCluster(t testing.TB) *cluster {
	t.Helper()
	if os.Getenv("CAISSON_E2E_SLURM") == "" {
		t.Skip("make e2e-slurm runs this")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root makes a cluster whose jobs have users")
	}
	// Not below a temporary directory: those are private inside.
	dir, err := os.MkdirTemp("/var", "caisson-slurm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &cluster{dir: dir, config: filepath.Join(dir, "slurm.conf"), caisson: filepath.Join(dir, "bin", "caisson"), daemons: map[string]*exec.Cmd{}}
	c.findAccount(t)
	for _, name := range []string{"", "bin", "state", "spool", "log", "munge"} {
		c.mkdir(t, name, 0)
	}
	c.mkdir(t, "home", c.uid)
	if out, err := exec.Command("go", "build", "-trimpath", "-o", c.caisson, "github.com/caisson-sandbox/caisson/cmd/caisson").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.configure(t)
	// What loses its parent, as a job does whose slurmstepd is killed, becomes a
	// child of this process and is found at the end.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.end(t) })
	c.daemon(t, "munged", "munged", "--foreground", "--force", "--socket="+c.socket(), "--key-file="+c.path("munge/key"),
		"--pid-file="+c.path("munge/pid"), "--seed-file="+c.path("munge/seed"), "--log-file="+c.path("log/munged"), "--num-threads=4")
	c.await(t, "munged answers", func() bool {
		return exec.Command("munge", "--socket="+c.socket(), "--no-input", "--output=/dev/null").Run() == nil
	})
	c.daemon(t, "slurmctld", "slurmctld", "-D", "-f", c.config)
	for _, name := range nodes() {
		c.startNode(t, name)
	}
	c.await(t, "the nodes are idle", func() bool {
		return strings.Count(c.ask("sinfo", "--noheader", "--Node", "--format=%T"), "idle") == len(nodes())
	})
	return c
}

// findAccount takes an account that Debian has, of a user who owns nothing.
func (c *cluster) findAccount(t testing.TB) {
	t.Helper()
	found, err := user.Lookup("games")
	if err != nil {
		t.Fatal(err)
	}
	c.account = *found
	c.uid, _ = strconv.Atoi(found.Uid) // Linux has numbers alone
	c.gid, _ = strconv.Atoi(found.Gid)
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }
func (c *cluster) socket() string          { return c.path("munge/socket") }

// mkdir makes a directory of the cluster that belongs to a user.
func (c *cluster) mkdir(t testing.TB, name string, uid int) string {
	t.Helper()
	dir := c.path(name)
	group := 0
	if uid != 0 {
		group = c.gid
	}
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chown(dir, uid, group), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// configure writes the key and the configuration.
func (c *cluster) configure(t testing.TB) {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	key := make([]byte, 128)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, line := range []string{
		"ClusterName=caisson", "SlurmctldHost=" + host + "(127.0.0.1)", "SlurmctldPort=" + freePort(t),
		"SlurmUser=root", "SlurmdUser=root", "AuthType=auth/munge", "CredType=cred/munge", "AuthInfo=socket=" + c.socket(),
		"CommunicationParameters=NoCtldInAddrAny,NoInAddrAny",
		"ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none", "JobAcctGatherType=jobacct_gather/none", "MpiDefault=none",
		"SelectType=select/cons_tres", "SelectTypeParameters=CR_Core", "SlurmdParameters=config_overrides",
		"SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,sched_interval=2,bf_interval=2", "MaxArraySize=1001",
		"ReturnToService=2", "KillWait=5", "SlurmdTimeout=300", "MessageTimeout=60", "JobRequeue=1",
		"StateSaveLocation=" + c.path("state"), "SlurmdSpoolDir=" + c.path("spool/%n"),
		"SlurmctldPidFile=" + c.path("state/pid"), "SlurmdPidFile=" + c.path("spool/%n.pid"),
		"SlurmctldLogFile=" + c.path("log/slurmctld"), "SlurmdLogFile=" + c.path("log/%n"),
	} {
		b.WriteString(line + "\n")
	}
	for _, name := range nodes() {
		fmt.Fprintf(&b, "NodeName=%s NodeHostname=%s NodeAddr=127.0.0.1 Port=%s CPUs=16\n", name, host, freePort(t))
	}
	b.WriteString("PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n")
	if err := errors.Join(os.WriteFile(c.path("munge/key"), key, 0o600), os.WriteFile(c.config, []byte(b.String()), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// freePort returns a port of the loopback that nobody has.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// daemon starts a program that serves the cluster.
func (c *cluster) daemon(t testing.TB, name, program string, args ...string) {
	t.Helper()
	log, err := os.OpenFile(c.path("log/"+name+".out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Dir = c.environ(0), c.dir
	cmd.Stdout, cmd.Stderr = log, log
	// A key on the terminal is for the test, whose own death ends the daemon.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.daemons[name] = cmd
}

func (c *cluster) startNode(t testing.TB, name string) {
	t.Helper()
	c.daemon(t, name, "slurmd", "-D", "-f", c.config, "-N", name)
}

// environ is the environment of a user of the cluster.
func (c *cluster) environ(uid int) []string {
	home := c.path("home")
	if uid == 0 {
		home = c.path("state")
	}
	return []string{"SLURM_CONF=" + c.config, "HOME=" + home, "PATH=" + c.path("bin") + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG=C.UTF-8"}
}

// as makes a command of a user of the cluster.
func (c *cluster) as(uid int, argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = c.path("home"), c.environ(uid)
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(c.gid)}}
	}
	return cmd
}

// ask runs a command as root and returns what it prints, with what failed.
func (c *cluster) ask(argv ...string) string {
	out, err := c.as(0, argv...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return string(out)
}

// await waits until a condition holds, and says what the daemons said where it
// does not.
func (c *cluster) await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s\n%s\n%s\n%s", what, c.ask("squeue", "--all"), c.ask("sinfo", "--Node", "--long"), c.logs())
		}
	}
}

// logs returns the last lines that each daemon wrote.
func (c *cluster) logs() string {
	names, _ := filepath.Glob(c.path("log/*"))
	var b strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "-- %s\n%s\n", filepath.Base(name), text[max(0, len(text)-4000):])
	}
	return b.String()
}
