// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// outcomes have one that compression cannot make short, so that it has lines.
func outcomes() []Outcome {
	noise := make([]byte, 8<<10)
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = 'a' + byte(dice.IntN(26))
	}
	return []Outcome{
		{Name: "root", Exit: 1, Milliseconds: 12, Stdout: string(noise), Stderr: "line\nline\r\n"},
		{Name: "user", Exit: -1, Stderr: end},
	}
}

func console(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	for _, o := range outcomes() {
		b.WriteString("[    1.0] the kernel says something")
		if err := Write(&b, o); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestReadWhatWasWritten(t *testing.T) {
	t.Parallel()
	for _, ending := range []string{"\n", "\r\n"} {
		got, err := Read(strings.ReplaceAll(console(t), "\n", ending))
		if err != nil || !reflect.DeepEqual(got, outcomes()) {
			t.Errorf("lines that end in %q: %d outcomes, %v", ending, len(got), err)
		}
	}
}

func TestReadRefusesWhatIsBroken(t *testing.T) {
	t.Parallel()
	whole := console(t)
	middle := strings.Index(whole, begin) + len(begin) + 1 + linesize/2
	for name, text := range map[string]string{
		"cut off":           whole[:middle],
		"a letter changed":  whole[:middle] + "!" + whole[middle+1:],
		"a line lost":       strings.Replace(whole, whole[middle-linesize/2:middle+linesize/2+1], "", 1),
		"a second begin":    strings.Replace(whole, end, begin, 1),
		"no zip in a frame": begin + "\n" + "AAAA" + "\n" + end + "\n",
	} {
		if got, err := Read(text); err == nil {
			t.Errorf("%s: read %d outcomes", name, len(got))
		}
	}
	if got, err := Read("nothing\n"); err != nil || got != nil {
		t.Errorf("a console without outcomes: %v, %v", got, err)
	}
}
