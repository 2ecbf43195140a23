// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"testing"
)

// layout is what the headers of Windows say of a structure on 64-bit systems:
// its size, and the offset of each field in order. The numbers are those that a
// C compiler gives for the headers of mingw-w64.
type layout struct {
	name    string
	size    int64
	offsets []int64
}

func layouts() []layout {
	return []layout{
		{"GUID", 16, []int64{0, 4, 6, 8}},
		{"UserInfo1", 56, []int64{0, 8, 16, 20, 24, 32, 40, 48}},
		{"UserInfo1003", 8, []int64{0}},
		{"UserInfo1008", 4, []int64{0}},
		{"LocalGroupInfo1", 16, []int64{0, 8}},
		{"LocalGroupMembersInfo0", 8, []int64{0}},
		{"LSAUnicodeString", 16, []int64{0, 2, 8}},
		{"LSAObjectAttributes", 48, []int64{0, 8, 16, 24, 32, 40}},
		{"ShellExecuteInfo", 112, []int64{0, 4, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104}},
		{"GenericMapping", 16, []int64{0, 4, 8, 12}},
		{"LUIDAndAttributes", 12, []int64{0, 4, 8}},
		{"PrivilegeSet", 56, []int64{0, 4, 8}},
		{"UIRestrictions", 4, []int64{0}},
		{"ByteBlob", 16, []int64{0, 8}},
		{"Value", 16, []int64{0, 8}},
		{"DisplayData", 16, []int64{0, 8}},
		{"Session", 72, []int64{0, 16, 32, 36, 40, 48, 56, 64}},
		{"Provider", 64, []int64{0, 16, 32, 40, 56}},
		{"Sublayer", 72, []int64{0, 16, 32, 40, 48, 64}},
		{"Condition", 40, []int64{0, 16, 24}},
		{"Action", 20, []int64{0, 4}},
		{"Filter", 200, []int64{0, 16, 32, 40, 48, 64, 80, 96, 112, 120, 128, 152, 168, 176, 184}},
	}
}

// TestLayouts checks every structure for both architectures, on any system.
func TestLayouts(t *testing.T) {
	t.Parallel()
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range []string{"winapi.go", "types.go", "fwpm.go"} {
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	pkg, err := (&types.Config{}).Check("winapi", set, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, arch := range []string{"amd64", "arm64"} {
		sizes := types.SizesFor("gc", arch)
		for _, l := range layouts() {
			known[l.name] = true
			object := pkg.Scope().Lookup(l.name)
			if object == nil {
				t.Errorf("there is no structure %s", l.name)
				continue
			}
			s := object.Type().Underlying().(*types.Struct)
			if got := sizes.Sizeof(s); got != l.size {
				t.Errorf("%s: %s has %d bytes, want %d", arch, l.name, got, l.size)
			}
			fields := make([]*types.Var, s.NumFields())
			for i := range fields {
				fields[i] = s.Field(i)
			}
			offsets := sizes.Offsetsof(fields)
			for i, want := range l.offsets {
				if i >= len(offsets) || offsets[i] != want {
					t.Errorf("%s: the fields of %s are at %d, want %d", arch, l.name, offsets, l.offsets)
					break
				}
			}
			if len(offsets) != len(l.offsets) {
				t.Errorf("%s has %d fields, the table %d", l.name, len(offsets), len(l.offsets))
			}
		}
	}
	for _, name := range pkg.Scope().Names() {
		if _, ok := pkg.Scope().Lookup(name).Type().Underlying().(*types.Struct); ok && !known[name] {
			t.Errorf("no layout is known of %s", name)
		}
	}
}
