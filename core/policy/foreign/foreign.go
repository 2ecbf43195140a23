// SPDX-License-Identifier: Apache-2.0

// Package foreign turns the settings of other tools into policies. Not all of
// them have an equivalent: what has none is listed with the reason, so that a
// person sees what the policy does not say.
//
// Files are read strictly: what is no JSON or TOML, is there twice or has the
// wrong type is an error that names file, line and key. A key that is not known
// is listed.
package foreign

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/internal/strict"
	"github.com/caisson-sandbox/caisson/core/policy"
	"github.com/caisson-sandbox/caisson/core/policy/marks"
)

// Imported is what the settings of a tool come to.
type Imported struct {
	Values []Value `json:"values"`
	Lost   []Lost  `json:"lost"`
}

// Value is one value of one setting of a policy, and where it comes from.
type Value struct {
	Setting string `json:"setting"` // "files.write"
	Value   string `json:"value"`
	From    string `json:"from"` // "FILE:LINE"
}

// Lost is something that has no equivalent.
type Lost struct {
	From string `json:"from"` // "FILE:LINE"
	Key  string `json:"key"`
	Why  string `json:"why"`
}

// Tools are the tools whose settings can be read.
func Tools() []string { return []string{"srt", "claude", "codex"} }

// Read reads a settings file of a tool. The error is a *diag.Diagnostic.
func Read(tool, name string, data []byte) (Imported, error) {
	in := &reader{file: name}
	parse, take := strict.JSON, in.srt
	switch tool {
	case "srt":
	case "claude":
		take = in.claude
	case "codex":
		parse, take = strict.TOML, in.codex
	default:
		return Imported{}, diag.New(diag.UsageInvalid, "the settings of "+diag.Quote(tool)+" cannot be read", "known are: "+strings.Join(Tools(), ", "))
	}
	top, err := parse(name, data, diag.PolicyInvalid)
	if err == nil && top.Kind != strict.Map {
		err = top.Refuse("settings must be a table", "")
	}
	if err == nil {
		err = take(top)
	}
	if err != nil {
		return Imported{}, err
	}
	if in.Values == nil {
		in.Values = []Value{}
	}
	if in.Lost == nil {
		in.Lost = []Lost{}
	}
	return in.Imported, nil
}

// reader collects what is found.
type reader struct {
	Imported
	file string
	made policy.Policy // of the values so far
}

func (r *reader) at(n *strict.Node) string { return fmt.Sprintf("%s:%d", diag.Escape(r.file), n.Line) }

func (r *reader) lose(n *strict.Node, why string) {
	r.Lost = append(r.Lost, Lost{r.at(n), diag.Escape(n.Key()), why})
}

// loseItem lists one of the strings of a list.
func (r *reader) loseItem(n *strict.Node, why string) {
	r.Lost = append(r.Lost, Lost{r.at(n), diag.Escape(n.Key()) + " " + diag.Quote(n.Text), why})
}

// set adds a value. One that no policy may have is listed.
func (r *reader) set(n *strict.Node, setting, value string) {
	if !diag.Plain(value) {
		r.lose(n, "the value cannot be written in a policy as it is")
		return
	}
	if slices.ContainsFunc(r.Values, func(v Value) bool { return v.Setting == setting && v.Value == value }) {
		return
	}
	single := setting == "extends" || setting == "network.mode" || setting == "env.inherit"
	if single && slices.ContainsFunc(r.Values, func(v Value) bool { return v.Setting == setting }) {
		r.lose(n, "the policy says another "+setting+" already")
		return
	}
	made, err := r.made.WithFlag(setting, setting, value)
	if err != nil {
		r.lose(n, strings.TrimPrefix(err.Error(), setting+": "))
		return
	}
	r.made = made
	r.Values = append(r.Values, Value{setting, value, r.at(n)})
}

// each calls f with the strings of a list.
func each(n *strict.Node, f func(*strict.Node)) error {
	if n.Kind != strict.List {
		return n.Refuse("must be a list of strings, not "+n.Kind.String(), "")
	}
	for _, item := range n.List {
		if item.Kind != strict.String {
			return item.Refuse("must be a string, not "+item.Kind.String(), "")
		}
		f(item)
	}
	return nil
}

// items calls f with each item of a list.
func items(n *strict.Node, f func(*strict.Node) error) error {
	if n.Kind != strict.List {
		return n.Refuse("must be a list, not "+n.Kind.String(), "")
	}
	for _, item := range n.List {
		if err := f(item); err != nil {
			return err
		}
	}
	return nil
}

// member is a string of a table, which must be there.
func member(n *strict.Node, key string) (*strict.Node, error) {
	if n.Kind != strict.Map {
		return nil, n.Refuse("must be a table, not "+n.Kind.String(), "")
	}
	m := n.Member(key)
	if m == nil || m.Kind != strict.String {
		return nil, n.Refuse("must have a string "+key, "")
	}
	return m, nil
}

// members calls the function of each member of a table, or other.
func members(n *strict.Node, known map[string]func(*strict.Node) error, other func(*strict.Node) error) error {
	if n.Kind != strict.Map {
		return n.Refuse("must be a table, not "+n.Kind.String(), "")
	}
	for _, m := range n.Members {
		f := known[m.Key]
		if f == nil {
			f = other
		}
		if err := f(m.Value); err != nil {
			return err
		}
	}
	return nil
}

// lost lists a key, whatever its value is.
func (r *reader) lost(why string) func(*strict.Node) error {
	return func(n *strict.Node) error { r.lose(n, why); return nil }
}

// boolean calls f with a truth value.
func boolean(f func(n *strict.Node, on bool)) func(*strict.Node) error {
	return func(n *strict.Node) error {
		if n.Kind != strict.Bool {
			return n.Refuse("must be true or false, not "+n.Kind.String(), "")
		}
		f(n, n.Bool)
		return nil
	}
}

// weakened lists a switch that is on.
func (r *reader) weakened(why string) func(*strict.Node) error {
	return boolean(func(n *strict.Node, on bool) {
		if on {
			r.lose(n, why)
		}
	})
}

// path adds a path to a setting. Patterns have no equivalent.
func (r *reader) path(setting string) func(*strict.Node) {
	return func(n *strict.Node) { r.setPath(n, setting, n.Text) }
}

// paths adds a list of paths, some of them as tables that say of a path that it is
// no pattern.
func (r *reader) paths(setting string) func(*strict.Node) error {
	return func(n *strict.Node) error {
		return items(n, func(n *strict.Node) error {
			if n.Kind == strict.String {
				r.setPath(n, setting, n.Text)
				return nil
			}
			path, err := member(n, "path")
			if err != nil {
				return err
			}
			r.set(path, setting, path.Text)
			return nil
		})
	}
}

func (r *reader) setPath(n *strict.Node, setting, path string) {
	for _, suffix := range []string{"/**", "/*"} {
		path = strings.TrimSuffix(path, suffix) // a directory means all below it
	}
	switch {
	case strings.ContainsAny(path, "*?[]{}"):
		r.loseItem(n, "a policy has no patterns: name the file or its directory")
	case setting == "files.write" && (path == "." || path == "./" || path == ""):
		// the workspace is written in any case
	case setting == "files.write" && slices.Contains([]string{"/tmp", "/var/tmp", "/private/tmp"}, strings.TrimSuffix(path, "/")):
		r.loseItem(n, whyTemporary)
	default:
		r.set(n, setting, path)
	}
}

// host adds a host to a setting, and the mode that lists of hosts need.
func (r *reader) host(setting string) func(*strict.Node) {
	return func(n *strict.Node) { r.setHost(n, setting, n.Text) }
}

func (r *reader) setHost(n *strict.Node, setting, host string) {
	r.set(n, setting, host)
	if len(r.Values) > 0 && r.Values[len(r.Values)-1].Setting == "network.allow" {
		r.set(n, "network.mode", string(policy.Allowlist))
	}
}

// Mark says why a person should look twice at the value, "" for nothing.
func (v Value) Mark() string {
	kinds := map[string]diag.GrantKind{
		"files.write": diag.GrantWrite, "files.show": diag.GrantShow, "files.unprotect": diag.GrantUnprotect,
		"network.allow": diag.GrantHost, "network.unix": diag.GrantUnix,
	}
	kind, ok := kinds[v.Setting]
	switch {
	case v.Setting == "network.mode" && v.Value == string(policy.Online):
		return "ONLINE: what commands can read they can send to anybody, and servers of this host are reached"
	case v.Setting == "env.inherit" && v.Value == "all":
		return "SECRETS: variables that look like secrets are passed to commands too"
	case !ok:
		return ""
	}
	return marks.Of(diag.NewGrant(kind, v.Value))
}

// marked is the comment that stands before a value, with an indent.
func (v Value) marked(indent string) string {
	if mark := v.Mark(); mark != "" {
		return indent + "# !!! " + mark + ".\n"
	}
	return ""
}

// TOML writes the policy, with what was lost in comments. What opens much is
// marked: the settings may be those of a checkout.
func (i Imported) TOML() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version = %d\n", policy.Version)
	var tables []string
	for _, v := range i.Values {
		if table, _, ok := strings.Cut(v.Setting, "."); !ok {
			fmt.Fprintf(&b, "%s = %s # %s\n", v.Setting, quoted(v.Value), v.From)
		} else if !slices.Contains(tables, table) {
			tables = append(tables, table)
		}
	}
	for _, table := range tables {
		fmt.Fprintf(&b, "\n[%s]\n", table)
		i.writeTable(&b, table)
	}
	if len(i.Lost) > 0 {
		b.WriteString("\n# What has no equivalent:\n")
	}
	for _, l := range i.Lost {
		fmt.Fprintf(&b, "# %s: %s: %s\n", l.From, l.Key, diag.Escape(l.Why))
	}
	return b.String()
}

// writeTable writes the settings of a table in the order of their first values.
func (i Imported) writeTable(b *strings.Builder, table string) {
	var keys []string
	for _, v := range i.Values {
		if key, ok := strings.CutPrefix(v.Setting, table+"."); ok && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		setting := table + "." + key
		switch setting {
		case "network.mode", "env.inherit":
			for _, v := range i.Values {
				if v.Setting == setting {
					fmt.Fprintf(b, "%s%s = %s # %s\n", v.marked(""), key, quoted(v.Value), v.From)
				}
			}
			continue
		}
		open, end := "[\n", "]\n"
		if setting == "env.set" {
			open, end = "{", "}\n"
		}
		b.WriteString(key + " = " + open)
		first := true
		for _, v := range i.Values {
			switch {
			case v.Setting != setting:
			case setting == "env.set":
				name, value, _ := strings.Cut(v.Value, "=")
				if !first {
					b.WriteString(",")
				}
				fmt.Fprintf(b, " %s = %s ", quoted(name), quoted(value))
				first = false
			default:
				fmt.Fprintf(b, "%s  %s, # %s\n", v.marked("  "), quoted(v.Value), v.From)
			}
		}
		b.WriteString(end)
	}
}

// quoted writes a printable string in TOML.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
