// SPDX-License-Identifier: Apache-2.0

// Package sbpl writes Seatbelt profiles: a small syntax tree and the one place
// that turns it into text.
//
// A profile is a program in a Scheme dialect that libsandbox runs, so a name of
// a file that is printed carelessly becomes code. The tree has no node for raw
// text: what comes from outside is a string or a regular expression, and Print
// refuses what those cannot say (print.go).
package sbpl

// Expr is one expression of a filter. Make it with the functions below; the
// zero value cannot be printed.
type Expr struct {
	kind exprKind
	text string
	list []Expr
}

type exprKind uint8

const (
	symbolExpr exprKind = iota + 1
	stringExpr
	regexExpr
	formExpr
)

// Symbol is a name of the language, such as same-sandbox, or a number, such as
// #x80017472.
func Symbol(name string) Expr { return Expr{kind: symbolExpr, text: name} }

// String is a string literal.
func String(s string) Expr { return Expr{kind: stringExpr, text: s} }

// Form is (head args…).
func Form(head string, args ...Expr) Expr { return Expr{kind: formExpr, text: head, list: args} }

// Param is a value that sandbox-exec is given with -D.
func Param(name string) Expr { return Form("param", String(name)) }

// Literal is the filter of one path, Subpath that of a path and all below it.
// The path is absolute, clean and resolved: the kernel compares it with the
// normalised path of what is accessed, and never normalises the filter.
func Literal(path Expr) Expr { return Form("literal", path) }

// Subpath is the filter of a path and all below it, see Literal.
func Subpath(path Expr) Expr { return Form("subpath", path) }

// Regex is the filter of paths that a pattern matches. The pattern holds only
// characters, groups, alternatives, classes and the anchors ^ and $: other
// things differ between releases of the engine.
func Regex(pattern string) Expr {
	return Form("regex", Expr{kind: regexExpr, text: pattern})
}

// All is the filter that holds where all of its parts do; it has at least one.
func All(list ...Expr) Expr { return Form("require-all", list...) }

// Any is the filter that holds where one of its parts does; it has at least
// one.
func Any(list ...Expr) Expr { return Form("require-any", list...) }

// Not is the filter that holds where f does not.
func Not(f Expr) Expr { return Form("require-not", f) }

// Rule allows or denies operations. Filters are alternatives: the rule is about
// what at least one of them matches. A rule without filters sets the fallback
// of its operations and must say so with Always: an empty list that was meant
// to hold something would be about everything.
type Rule struct {
	Allow   bool
	Ops     []string
	Filters []Expr
	Always  bool
}

// Section is a group of rules with a comment of one or more lines.
type Section struct {
	Comment string
	Rules   []Rule
}

// Profile is a whole profile. Its fallback for everything is to deny.
type Profile struct {
	Sections []Section
}

// Count is the number of rules.
func (p *Profile) Count() int {
	n := 1 // deny default
	for _, s := range p.Sections {
		n += len(s.Rules)
	}
	return n
}

// Arg is the first argument of a form, for filters that take a pattern or a
// text as another one does.
func (e Expr) Arg() Expr { return e.list[0] }
