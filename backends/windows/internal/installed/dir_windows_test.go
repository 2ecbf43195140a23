// SPDX-License-Identifier: Apache-2.0

package installed

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDir: the directory is that of the system, whatever the caller's variables
// say: the elevated part must not be led elsewhere by one.
func TestDir(t *testing.T) {
	want := filepath.Join(os.Getenv("ProgramData"), "caisson")
	t.Setenv("ProgramData", `C:\elsewhere`)
	t.Setenv("ALLUSERSPROFILE", `C:\elsewhere`)
	dir, err := Dir()
	if err != nil || !strings.EqualFold(dir, want) {
		t.Errorf("%s, %v, want %s", dir, err, want)
	}
}
