// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write zsyscall_windows.go")

// TestGenerated compares zsyscall_windows.go with what mkwinsyscall makes of
// the declarations. The generator's file gets the head that all files have, and
// loses a note of its author and a variable without use.
func TestGenerated(t *testing.T) {
	t.Parallel()
	made := filepath.Join(t.TempDir(), "z.go")
	cmd := exec.Command("go", "run", "golang.org/x/sys/windows/mkwinsyscall", "-output", made, "syscall_windows.go")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	for _, unwanted := range []string{
		"var _ unsafe.Pointer\n\n",
		"\t// TO" + "DO: add more here, after collecting data on the common\n\t// error values see on Windows. (perhaps when running\n\t// all.bat?)\n",
	} {
		if !bytes.Contains(text, []byte(unwanted)) {
			t.Errorf("the generator does not write %q any more", unwanted)
		}
		text = bytes.ReplaceAll(text, []byte(unwanted), nil)
	}
	text = append([]byte("// SPDX-License-Identifier: Apache-2.0\n\n"), text...)
	if *update {
		if err := os.WriteFile("zsyscall_windows.go", text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("zsyscall_windows.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, text) {
		t.Error("zsyscall_windows.go is out of step; run go generate in backends/windows/internal/winapi")
	}
}
