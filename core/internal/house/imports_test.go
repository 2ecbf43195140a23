// SPDX-License-Identifier: Apache-2.0

package house

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrow bans imports. Paths without a point in their first element are of this
// module or of the standard library; each stands for what is below it too.
type arrow struct {
	from   []string
	except []string
	ban    []string
	deep   bool // indirect imports count
	why    string
}

func arrows() []arrow {
	return []arrow{
		{
			from: []string{"core"}, ban: []string{"google.golang.org", "github.com/hashicorp", "github.com/spf13"}, deep: true,
			why: "the library is linked into agents; a plugin protocol or a command line in it costs every start of theirs",
		},
		{
			from: []string{"core", "backends"}, except: []string{"core/launch/seccomp/internal/gentables"}, ban: []string{"log", "log/slog", "flag"},
			why: "a library returns diagnostics and leaves it to its caller what is written where",
		},
		{
			from: []string{"core"}, except: []string{"core/sandbox"}, ban: []string{"backends"}, deep: true,
			why: "core/sandbox is the one place where a plan meets the backend that made it",
		},
		{
			from: []string{"core", "backends"}, ban: []string{"cmd", "plugins", "conformance"}, deep: true,
			why: "what is used does not know its users",
		},
		{
			from: []string{"backends"}, ban: []string{"core/launch", "core/sandbox"}, deep: true,
			why: "a backend plans; it executes nothing, so it cannot reach what does",
		},
		{
			from: []string{"backends"}, ban: []string{"core/journal", "core/selector", "core/envfilter"},
			why: "a backend plans; what is undone, chosen and passed on is the host's to decide",
		},
		{
			from: []string{"core/launch", "core/journal"}, ban: []string{"core/policy", "core/backend", "core/selector", "core/envfilter"}, deep: true,
			why: "the launcher applies a plan as it is and decides nothing about a policy",
		},
		{
			from: []string{"core/policy"}, ban: []string{"core/plan", "core/launch", "core/backend"}, deep: true,
			why: "what a policy means does not depend on how a system enforces it",
		},
		{
			from:   []string{"core/guarantee", "core/diag", "core/hostrule", "core/pathspec", "core/plan", "core/backend", "core/selector", "core/envfilter", "core/internal/strict", "core/launch/seccomp"},
			except: []string{"core/launch/seccomp/internal/gentables"},
			ban:    []string{"os", "net/http", "syscall", "golang.org/x/sys", "path/filepath", "runtime"},
			why:    "pure: the same answer on every system, so that plans for one are tested on all",
		},
		{
			from: []string{"core", "backends"}, except: []string{"core/launch/seccomp/internal/gentables"}, ban: []string{"os/exec"}, deep: true,
			why: "what caisson executes goes through core/launch",
		},
		{
			from: []string{"plugins/registry", "plugins/protocol", "cmd/internal/cli"}, ban: []string{"google.golang.org", "github.com/hashicorp", "net/http"}, deep: true,
			why: "the lean caisson looks for plugins on the way of a command, and hosts none",
		},
		{
			from: []string{"plugins/sdk", "cmd/caisson-backend-bwrap", "cmd/caisson-backend-windows"}, ban: []string{"core/launch", "core/sandbox", "core/selector", "plugins/host", "plugins/registry", "cmd/internal"}, deep: true,
			why: "a backend of its own has what any author has: core to read and write plans, and the sdk",
		},
		{
			from: []string{"plugins/host", "plugins/registry"}, ban: []string{"core/launch", "core/sandbox", "plugins/sdk", "backends"}, deep: true,
			why: "a host talks with backends and judges what they say; it makes no sandboxes",
		},
		{
			from: []string{"cmd"}, except: []string{"cmd/internal/licences", "cmd/internal/apparmor", "cmd/caisson-backend-bwrap"}, ban: []string{"os/exec"},
			why: "what caisson executes goes through core/launch; the conformance suite, which judges others, runs its own, a backend tries its program in its probe, and setup has the parser of AppArmor load a profile",
		},
		{
			from: []string{"conformance"}, ban: []string{"cmd", "plugins", "backends", "core/launch"},
			why: "the suite judges every backend by the same door that programs use",
		},
		{
			from: []string{"core", "backends", "cmd"}, except: []string{"core/internal/strict"}, ban: []string{"github.com/pelletier"},
			why: "text is decoded by one decoder that knows where each value stands",
		},
		{
			from: []string{"core", "backends", "cmd"}, except: []string{"cmd/internal/cli"}, ban: []string{"github.com/spf13"},
			why: "flags end in cmd/internal/cli",
		},
		{
			from: []string{"core", "backends", "cmd", "conformance", "plugins"}, except: []string{"cmd/internal/docker"},
			ban: []string{"github.com/moby", "github.com/opencontainers"}, deep: true,
			why: "only the stand-in of a container, which tests use and nobody installs, knows a container engine's profile",
		},
		{
			from: []string{"core", "backends", "cmd"}, ban: []string{"C", "plugin", "net/http/pprof", "expvar"}, deep: true,
			why: "static executables that offer nothing to anybody",
		},
	}
}

// linked are the modules that may be linked into anything; tests use more.
// Those after the first line break come with plugins, those after the second are
// of a program of tests, and the arrows keep them there.
func linked() []string {
	return []string{
		"github.com/pelletier/go-toml/v2", "github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/inconshreveable/mousetrap", "github.com/creack/pty", "golang.org/x/sys", "golang.org/x/net", "golang.org/x/text",

		"github.com/hashicorp/go-plugin", "github.com/hashicorp/go-hclog", "github.com/hashicorp/yamux", "github.com/oklog/run",
		"github.com/fatih/color", "github.com/mattn/go-colorable", "github.com/mattn/go-isatty", "github.com/golang/protobuf",
		"google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc",

		"github.com/moby/profiles/seccomp", "github.com/opencontainers/runtime-spec",
	}
}

// listed is what go list says of one package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "darwin", "windows"} {
		t.Run(goos, func(t *testing.T) {
			t.Parallel()
			packages := list(t, goos)
			for _, complaint := range broken(packages, arrows()) {
				t.Error(complaint)
			}
			for _, p := range packages {
				if !p.Standard && !below(p.ImportPath, append(linked(), module)...) {
					t.Errorf("%s is linked; docs/dependencies.md says what it takes for another module", p.ImportPath)
				}
			}
		})
	}
}

// list lists the packages of the repository and all that they import.
func list(t *testing.T, goos string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// broken names the imports that arrows ban.
func broken(packages []listed, rules []arrow) []string {
	var complaints []string
	for _, p := range packages {
		from, ours := strings.CutPrefix(p.ImportPath, module+"/")
		if !ours {
			continue
		}
		for _, r := range rules {
			if !below(from, r.from...) || below(from, r.except...) {
				continue
			}
			imports := p.Imports
			if r.deep {
				imports = p.Deps
			}
			for _, to := range imports {
				if short := strings.TrimPrefix(to, module+"/"); below(short, r.ban...) && !(to != short && short == from) {
					complaints = append(complaints, from+" imports "+short+": "+r.why)
				}
			}
		}
	}
	return complaints
}

// below reports whether a path is one of the others or lies below one. The
// standard packages os and log have others below them that are no part of them.
func below(path string, tops ...string) bool {
	return slices.ContainsFunc(tops, func(top string) bool {
		return path == top || top != "os" && top != "log" && top != "runtime" && strings.HasPrefix(path, top+"/")
	})
}

// TestImportsFinds shows that an arrow can be broken, directly and indirectly.
func TestImportsFinds(t *testing.T) {
	t.Parallel()
	packages := []listed{
		{ImportPath: module + "/core/plan", Imports: []string{"os"}, Deps: []string{"os"}},
		{ImportPath: module + "/core/launch", Imports: []string{"fmt"}, Deps: []string{"fmt", module + "/core/policy"}},
		{ImportPath: module + "/core/sandbox", Imports: []string{module + "/backends/builtin"}, Deps: []string{module + "/backends/builtin"}},
	}
	if got := broken(packages, arrows()); len(got) != 2 {
		t.Errorf("complaints %q, want one about os and one about core/policy", got)
	}
}
