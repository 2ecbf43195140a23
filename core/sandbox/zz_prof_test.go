package sandbox

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-sandbox/caisson/core/policy"
)

func TestZZProf(t *testing.T) {
	dir := "/home/w1"
	child := "/bin/true"
	null, _ := os.OpenFile("/dev/null", os.O_RDWR, 0)
	var plain, prep, open, first, second, clo time.Duration
	const n = 60
	for i := 0; i < n; i++ {
		t0 := time.Now()
		pid, _ := syscall.ForkExec(child, []string{"x"}, &syscall.ProcAttr{Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}})
		syscall.Wait4(pid, nil, 0, nil)
		plain += time.Since(t0)
		t1 := time.Now()
		if _, err := Prepare(context.Background(), policy.Standard(dir), nil); err != nil {
			t.Fatal(err)
		}
		t2 := time.Now()
		prep += t2.Sub(t1)
		sb, err := Open(context.Background(), policy.Standard(dir), nil)
		if err != nil {
			t.Fatal(err)
		}
		t3 := time.Now()
		open += t3.Sub(t2)
		if err := sb.Command(context.Background(), child).Run(); err != nil {
			t.Fatal(err)
		}
		t4 := time.Now()
		first += t4.Sub(t3)
		if err := sb.Command(context.Background(), child).Run(); err != nil {
			t.Fatal(err)
		}
		t5 := time.Now()
		second += t5.Sub(t4)
		sb.Close()
		clo += time.Since(t5)
	}
	t.Logf("plain %v prepare %v open %v first %v second %v close %v", plain/n, prep/n, open/n, first/n, second/n, clo/n)
}
