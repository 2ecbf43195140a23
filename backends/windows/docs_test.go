// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

func readText(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// code is the text of every test that docs can name.
func code(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, pattern := range []string{"*_test.go", "helper/*_test.go", "internal/*/*_test.go", "../../core/plan/*_test.go", "../../core/launch/*_test.go", "../../core/sandbox/outside_test.go", "../../cmd/caisson-backend-windows/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(raw)
		}
	}
	return b.String()
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// TestInStep keeps docs/windows.md, the workflow for real machines, its scripts
// and the tests that they name in step.
func TestInStep(t *testing.T) {
	t.Parallel()
	page, workflow, contract := readText(t, "docs/windows.md"), readText(t, ".github/workflows/windows.yml"), readText(t, "docs/contract.md")
	runners := regexp.MustCompile(`windows-(20[0-9]+|11-arm)\b`)
	named, run := unique(runners.FindAllString(page, -1)), unique(runners.FindAllString(workflow, -1))
	if len(run) < 3 || !slices.Equal(named, run) {
		t.Errorf("the page names the runners %q, the workflow has %q", named, run)
	}
	scripts, err := filepath.Glob("../../.github/workflows/windows/*.ps1")
	if err != nil || len(scripts) < 6 {
		t.Fatalf("scripts %q, %v", scripts, err)
	}
	for _, s := range scripts {
		name := filepath.Base(s)
		if !strings.Contains(page, "`"+name+"`") || !strings.Contains(workflow, "run: .github/workflows/windows/"+name) {
			t.Errorf("%s is not both on the page and in the workflow", name)
		}
	}
	account := strings.ToLower(readText(t, ".github/workflows/windows/account.ps1"))
	_, tools, _ := strings.Cut(page, "with these tools: ")
	tools, _, _ = strings.Cut(tools, " |")
	list := strings.Split(tools, ", ")
	for _, tool := range list {
		start := map[string]string{"Git Bash": `'"c:\program files\git\bin\bash.exe"`, "MSYS2": `'c:\msys64\usr\bin\bash.exe`}[tool]
		if start == "" {
			start = "'" + tool + " "
		}
		if !strings.Contains(account, start) {
			t.Errorf("the page names the tool %q, and account.ps1 does not run it", tool)
		}
	}
	if len(list) < 11 {
		t.Errorf("the tools are %q", list)
	}
	token := readText(t, ".github/workflows/windows/token.ps1")
	for want, in := range map[string]string{
		"conformance run --backend " + AccountName: workflow, "conformance run --backend " + TokenName: token, "conformance run --plugin": workflow,
		"TestRecord": workflow, "CAISSON_RECORD": workflow, "upload-artifact": workflow, "setup install --yes": workflow,
	} {
		if !strings.Contains(in, want) {
			t.Errorf("no step does %s", want)
		}
	}
	if strings.Contains(workflow, "\t") || strings.Contains(workflow, "secrets.") || strings.Contains(workflow, "continue-on-error") {
		t.Error("the workflow holds a tab, a secret, or a step that may fail")
	}
	tests, makefile := code(t), readText(t, "GNUmakefile")
	_, side, _ := strings.Cut(contract, "## Windows")
	for _, name := range unique(regexp.MustCompile(`Test[A-Z][A-Za-z]+`).FindAllString(page+workflow+side, -1)) {
		if !strings.Contains(tests, "func "+name+"(t *testing.T)") {
			t.Errorf("there is no test %s", name)
		}
	}
	doors := readText(t, ".github/workflows/windows/doors.ps1")
	for _, m := range regexp.MustCompile("tried by `([^`]+)`").FindAllStringSubmatch(side, -1) {
		if !strings.Contains(doors, "Door '"+m[1]+"' ") {
			t.Errorf("doors.ps1 does not try %s", m[1])
		}
	}
	for _, door := range []string{"Task Scheduler", "services", "WMI", "COM", "wsl.exe", "parent-process attribute", "ShellExecute", "named pipes", "clipboard",
		"window messages", "SMB", "Dnscache", "Schannel"} {
		if !regexp.MustCompile(`(?m)^\| [^|]*` + regexp.QuoteMeta(door) + `[^|]*\| [^|]*held|(?m)^\| Schannel[^|]*\| does not work`).MatchString(side) {
			t.Errorf("docs/contract.md does not say who holds %s", door)
		}
	}
	for _, m := range regexp.MustCompile(`(\./[a-z/-]+):(\S+)`).FindAllStringSubmatch(makefile[strings.Index(makefile, "WINE_TESTS :="):strings.Index(makefile, ".PHONY: wine")], -1) {
		if _, err := os.Stat(filepath.Join("..", "..", m[1])); err != nil {
			t.Error(err)
		}
		for _, name := range strings.Split(m[2], "|") {
			if !strings.Contains(tests+readText(t, "cmd/internal/cli/files_windows_test.go"), "func Test") || name != "." && !regexp.MustCompile(`func Test\w*`+name).MatchString(tests+readText(t, "cmd/internal/cli/files_windows_test.go")) {
				t.Errorf("make wine runs %s, and there is no such test", name)
			}
		}
	}
	for _, word := range []string{"MODELLED", "RUN UNDER WINE", "CROSS-COMPILED", "NEVER RUN ON WINDOWS"} {
		for _, name := range []string{"README.md", "docs/contract.md", "docs/windows.md"} {
			if !strings.Contains(readText(t, name), word) {
				t.Errorf("%s does not say %s", name, word)
			}
		}
	}
	if want := fmt.Sprintf("of %d situations", len(situations())); !strings.Contains(page, want) {
		t.Errorf("the page does not say: %s", want)
	}
}

// evidence says of each guarantee how what upholds it was shown, besides that
// all is compiled for Windows and nothing has run there.
func evidenceOf() map[guarantee.ID]string {
	const plans = "MODELLED: decision tables, random worlds, mutations"
	return map[guarantee.ID]string{
		guarantee.WriteConfined:      plans,
		guarantee.WriteProtected:     plans,
		guarantee.ReadHidden:         plans,
		guarantee.TmpPrivate:         plans,
		guarantee.DeviceDenied:       "CROSS-COMPILED",
		guarantee.NetOffline:         "MODELLED: setup and plans; the test of the network RUN UNDER WINE, where nothing filters",
		guarantee.NetAllowlist:       "MODELLED: exactly one port, setup and plans; the proxy and who has its port RUN UNDER WINE, where nothing filters",
		guarantee.UnixConfined:       "MODELLED: pipes",
		guarantee.OutsideUntouchable: "MODELLED: processes",
		guarantee.TreeKilled:         "RUN UNDER WINE: jobs, the end of what runs as an account",
		guarantee.NoPrivs:            "MODELLED: the token; CROSS-COMPILED",
		guarantee.IPCConfined:        "CROSS-COMPILED",
		guarantee.TTYNoInject:        "CROSS-COMPILED",
		guarantee.EnvScrubbed:        "RUN UNDER WINE: variables arrive as they were listed",
		guarantee.FDNoLeak:           "RUN UNDER WINE: handles that are not listed do not arrive",
		guarantee.KernelSurface:      "CROSS-COMPILED",
		guarantee.NoResidue:          "MODELLED: undo byte for byte, crashes at every call; kills RUN UNDER WINE",
		guarantee.LimitMemory:        "CROSS-COMPILED",
		guarantee.LimitProcesses:     "CROSS-COMPILED",
		guarantee.LimitTime:          "RUN UNDER WINE",
	}
}

// TestPromises wants the table of the page to be what the backends offer.
func TestPromises(t *testing.T) {
	t.Parallel()
	f := TypicalFacts("amd64")
	var rows []string
	for _, info := range guarantee.All() {
		row := "| [" + string(info.ID) + "](contract.md#" + string(info.ID) + ") |"
		some := false
		for _, name := range []string{AccountName, LeanName, TokenName} {
			_, ok := offers(name, f)[info.ID]
			row += map[bool]string{true: " yes |", false: " no |"}[ok]
			some = some || ok
		}
		how, known := evidenceOf()[info.ID]
		if some != known {
			t.Errorf("%s is offered: %t, has evidence: %t", info.ID, some, known)
		}
		if !some {
			how = "not offered"
		}
		rows = append(rows, row+" "+how+" |")
	}
	table := strings.Join(rows, "\n")
	page := readText(t, "docs/windows.md")
	if *update {
		begin := strings.Index(page, "|---|---|---|---|---|\n") + len("|---|---|---|---|---|\n")
		end := begin + strings.Index(page[begin:], "\n\n")
		page = page[:begin] + table + page[end:]
		if err := os.WriteFile("../../docs/windows.md", []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(page, table) {
		t.Errorf("docs/windows.md does not have the table\n%s", table)
	}
}
