// SPDX-License-Identifier: Apache-2.0

package house

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parsed is the code of one directory without its tests and what is generated.
type parsed struct {
	dir   string
	files map[string]*ast.File
	set   *token.FileSet
}

func parse(t *testing.T) []parsed {
	t.Helper()
	dirs := map[string]parsed{}
	for _, name := range files(t, ".go") {
		if strings.HasSuffix(name, "_test.go") || generated(read(t, name)) {
			continue
		}
		p, ok := dirs[path.Dir(name)]
		if !ok {
			p = parsed{path.Dir(name), map[string]*ast.File{}, token.NewFileSet()}
			dirs[p.dir] = p
		}
		file, err := parser.ParseFile(p.set, name, read(t, name), parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		p.files[name] = file
	}
	return slices.Collect(maps.Values(dirs))
}

// embedded reports whether a declaration is filled by the compiler, from files.
func embedded(g *ast.GenDecl) bool {
	return g.Doc != nil && slices.ContainsFunc(g.Doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

func TestPackageComments(t *testing.T) {
	t.Parallel()
	for _, p := range parse(t) {
		var with []string
		for name, file := range p.files {
			if file.Doc != nil {
				with = append(with, name)
			}
		}
		slices.Sort(with)
		if len(with) != 1 {
			t.Errorf("%s: package comments in %q; one file has it, and it is where a newcomer starts", p.dir, with)
		}
	}
}

func TestNoInit(t *testing.T) {
	t.Parallel()
	for _, p := range parse(t) {
		for name, file := range p.files {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					t.Errorf("%s: func init: what it does happens behind the back of whoever imports the package", name)
				}
			}
		}
	}
}

// TestUnsafe keeps unsafe in small files that make system calls.
func TestUnsafe(t *testing.T) {
	t.Parallel()
	const most = 120
	beside := []string{"unsafe", "bytes", "syscall", "runtime", "errors", "fmt", "golang.org/x/sys/unix", "golang.org/x/sys/windows"}
	for _, p := range parse(t) {
		for name, file := range p.files {
			imports := importsOf(file)
			if !slices.Contains(imports, "unsafe") {
				continue
			}
			for _, i := range imports {
				if !slices.Contains(beside, i) {
					t.Errorf("%s: imports unsafe and %s: a file with unsafe hands memory to the kernel or reads machine code, and does nothing else", name, i)
				}
			}
			if n := p.set.Position(file.End()).Line; n > most && !generated(read(t, name)) {
				t.Errorf("%s: imports unsafe and has %d lines: at most %d, so that each can be checked by eye", name, n, most)
			}
		}
	}
}

func importsOf(file *ast.File) []string {
	var list []string
	for _, i := range file.Imports {
		list = append(list, strings.Trim(i.Path.Value, `"`))
	}
	return list
}

// TestVariables finds package-level variables that can change: those without a
// value, those that are assigned to, and those whose address is taken. Tables,
// errors and regular expressions stay.
func TestVariables(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, p := range parse(t) {
			for _, complaint := range variables(t, p, goos) {
				t.Error(complaint)
			}
		}
	}
}

func variables(t *testing.T, p parsed, goos string) []string {
	t.Helper()
	context := build.Default
	context.GOOS, context.GOARCH = goos, "amd64"
	var list []*ast.File
	for name, file := range p.files {
		dir, base := filepath.Split(filepath.Join(root, filepath.FromSlash(name)))
		match, err := context.MatchFile(dir, base)
		if err != nil {
			t.Fatal(err)
		}
		if match {
			list = append(list, file)
		}
	}
	// What is imported is not looked at, so types stay unknown; names suffice.
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImports{}, Error: func(error) {}}
	pkg, _ := config.Check(p.dir, p.set, list, info)
	global := func(e ast.Expr) bool {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
			case *ast.SelectorExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			case *ast.Ident:
				v, ok := info.Uses[x].(*types.Var)
				return ok && v.Parent() == pkg.Scope()
			default:
				return false
			}
		}
	}
	var complaints []string
	complain := func(n ast.Node, what string) {
		complaints = append(complaints, fmt.Sprintf("%s: %s; state belongs to values that callers make", p.set.Position(n.Pos()), what))
	}
	for _, file := range list {
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				if v := spec.(*ast.ValueSpec); len(v.Values) == 0 && !embedded(g) {
					complain(v, "a package-level variable without a value")
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE && slices.ContainsFunc(n.Lhs, global) {
					complain(n, "a package-level variable is assigned to")
				}
			case *ast.IncDecStmt:
				if global(n.X) {
					complain(n, "a package-level variable is changed")
				}
			case *ast.UnaryExpr:
				if n.Op == token.AND && global(n.X) {
					complain(n, "the address of a package-level variable is taken")
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && global(n.Args[0]) {
					complain(n, "a package-level variable is changed")
				}
			}
			return true
		})
	}
	return complaints
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not loaded") }

// TestVariablesFinds shows that the rule above can be broken.
func TestVariablesFinds(t *testing.T) {
	t.Parallel()
	const code = `package p
import "sync"
var table = map[string]int{"a": 1}
var once sync.Once
var count = 0
func f() {
	table["b"] = 2
	count++
	p := &count
	delete(table, "a")
	table := map[string]int{}
	table["local"] = 3
	_ = p
}`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "GNUmakefile", code, 0) // any name that exists
	if err != nil {
		t.Fatal(err)
	}
	got := len(variables(t, parsed{"p", map[string]*ast.File{"core/internal/house/doc.go": file}, set}, "linux"))
	if want := 5; got != want {
		t.Errorf("%d complaints, want %d", got, want)
	}
}
