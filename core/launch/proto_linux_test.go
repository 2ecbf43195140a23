package launch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-sandbox/caisson/core/plan"
)

func protoPlan(ws string) *plan.Plan {
	write := []string{"write_file", "remove_dir", "remove_file", "make_char", "make_dir", "make_reg", "make_sock", "make_fifo", "make_block", "make_sym", "refer"}
	var st unix.Stat_t
	unix.Stat(ws, &st)
	ids := "self"
	if os.Geteuid() == 0 {
		ids = "all"
	}
	p := &plan.Plan{Format: 1, Arch: "amd64", Steps: []plan.Step{
		plan.Namespaces{Kinds: []string{"user", "mount", "pid", "net", "ipc", "uts", "cgroup"}, IDs: ids, Loopback: true},
		plan.ReadOnlyRoot{},
		plan.Scratch{Bytes: 1 << 30, Inodes: 1 << 20},
		plan.Devices{Names: []string{"null", "zero", "full", "random", "urandom", "tty"}},
		plan.MountPoint{Path: "/dev/shm", Kind: "dir"},
		plan.Private{Path: "/dev/shm", Mode: 01777},
		plan.Private{Path: "/tmp", Mode: 01777},
		plan.Private{Path: "/var/tmp", Mode: 01777},
		plan.Private{Path: "/run", Mode: 0755, ReadOnly: true},
		plan.Bind{Path: ws, Access: "write", Kind: "dir", Role: "root", Dev: uint64(st.Dev), Ino: st.Ino},
		plan.Bind{Path: ws + "/.git", Access: "write", Kind: "dir", Role: "pin"},
		plan.Bind{Path: ws + "/.git/hooks", Access: "read", Kind: "dir", Role: "protect"},
		plan.Bind{Path: ws + "/.git/config", Access: "read", Kind: "file", Role: "protect"},
	}}
	for i := 0; i < 10; i++ {
		p.Steps = append(p.Steps, plan.Cover{Path: fmt.Sprintf("%s/../hide/%d", ws, i), Kind: "dir"})
	}
	p.Steps = append(p.Steps, plan.Proc{},
		plan.Limits{Core: 1}, plan.Privileges{},
		plan.Landlock{Handled: write, Scoped: []string{"abstract_unix_socket", "signal"}, Rules: []plan.LandlockRule{
			{Path: ws, Access: write}, {Path: "/tmp", Access: write}, {Path: "/var/tmp", Access: write}, {Path: "/dev/shm", Access: write}, {Path: "/dev", Access: []string{"write_file"}}}},
		plan.Seccomp{Newest: 470, Rules: protoRules()},
	)
	return p
}

func protoRules() []plan.SeccompRule {
	deny := []string{"io_uring_setup", "io_uring_enter", "io_uring_register", "unshare", "setns", "mount", "umount2", "pivot_root", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "keyctl", "add_key", "request_key", "bpf", "userfaultfd", "perf_event_open", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kexec_load", "init_module", "finit_module", "delete_module", "swapon", "swapoff", "reboot", "acct", "open_by_handle_at", "fanotify_init", "quotactl", "syslog"}
	return []plan.SeccompRule{
		{Calls: deny, Action: "errno", Errno: "EPERM", Why: "x"},
		{Calls: []string{"clone3", "openat2"}, Action: "errno", Errno: "ENOSYS", Why: "x"},
		{Calls: []string{"clone"}, Action: "errno", Errno: "EPERM", When: []plan.SeccompCondition{{Arg: 0, Mask: 0x7e020000, Op: "!=", Value: 0}}},
		{Calls: []string{"ioctl"}, Action: "errno", Errno: "EPERM", When: []plan.SeccompCondition{{Arg: 1, Mask: 0xffffffff, Op: "==", Value: 0x5412}}},
		{Calls: []string{"chmod"}, Action: "errno", Errno: "EPERM", When: []plan.SeccompCondition{{Arg: 1, Mask: 04000, Op: "!=", Value: 0}}},
		{Calls: []string{"fchmodat"}, Action: "errno", Errno: "EPERM", When: []plan.SeccompCondition{{Arg: 2, Mask: 04000, Op: "!=", Value: 0}}},
		{Calls: []string{"socket", "socketpair"}, Action: "errno", Errno: "EPERM", When: []plan.SeccompCondition{{Arg: 0, Mask: 0xffffffff, Op: "==", Value: 40}}},
		{Calls: []string{"connect"}, Action: "notify", Why: "x"},
	}
}

func TestMeasure(t *testing.T) {
	dir, _ := os.MkdirTemp("/home", "proto")
	defer os.RemoveAll(dir)
	ws := filepath.Join(dir, "ws")
	os.MkdirAll(ws+"/.git/hooks", 0755)
	os.WriteFile(ws+"/.git/config", nil, 0644)
	for i := 0; i < 10; i++ {
		os.MkdirAll(fmt.Sprintf("%s/hide/%d", dir, i), 0755)
	}
	os.WriteFile(dir+"/c.c", []byte("int main(){return 0;}"), 0644)
	child := dir + "/child"
	if out, err := exec.Command("gcc", "-static", "-O1", "-o", child, dir+"/c.c").CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	null, _ := os.OpenFile("/dev/null", os.O_RDWR, 0)
	std := []*os.File{null, null, null}
	if os.Getenv("SHOW") != "" {
		std = []*os.File{os.Stdin, os.Stdout, os.Stderr}
	}
	p := protoPlan(ws)
	p.Steps[13] = plan.Cover{Path: dir + "/hide/0", Kind: "dir"}
	for i := 0; i < 10; i++ {
		p.Steps[13+i] = plan.Cover{Path: fmt.Sprintf("%s/hide/%d", dir, i), Kind: "dir"}
	}
	plain := func() time.Duration {
		t0 := time.Now()
		pid, err := syscall.ForkExec(child, []string{"x"}, &syscall.ProcAttr{Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}})
		if err != nil {
			t.Fatal(err)
		}
		reap(pid)
		return time.Since(t0)
	}
	cmd := func(s *Sandbox) *Process {
		var pr *Process
		var err error
		sp := Command{Path: child, Args: []string{"x"}, Dir: ws, Files: std}
		if os.Getenv("SHOW") != "" {
			sp.Path = "sh"
			sp.Args = []string{"sh", "-c", os.Getenv("SHOW")}
			sp.Env = []string{"PATH=/usr/bin:/bin"}
		}
		if pr, err = s.Start(sp); err != nil {
			t.Fatal(err)
		}
		if _, err := pr.Wait(); err != nil {
			t.Fatal(err)
		}
		return pr
	}
	var P, O, C, X, F []float64
	n := 300
	if os.Getenv("SHOW") != "" {
		n = 1
	}
	for i := 0; i < n; i++ {
		P = append(P, float64(plain().Microseconds()))
		t0 := time.Now()
		s, err := Open(context.Background(), p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t1 := time.Now()
		cmd(s)
		t2 := time.Now()
		cmd(s)
		t3 := time.Now()
		s.Close()
		t4 := time.Now()
		O = append(O, float64(t1.Sub(t0).Microseconds()))
		F = append(F, float64(t2.Sub(t1).Microseconds()))
		C = append(C, float64(t3.Sub(t2).Microseconds()))
		X = append(X, float64(t4.Sub(t3).Microseconds()))
	}
	med := func(x []float64) float64 { sort.Float64s(x); return x[len(x)/2] }
	t.Logf("plain %.0f open %.0f first %.0f second %.0f close %.0f total(open+first+close) ratio %.2f second ratio %.2f", med(P), med(O), med(F), med(C), med(X), (med(O)+med(F)+med(X))/med(P), med(C)/med(P))
}
