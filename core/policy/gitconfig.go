// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
)

// gitSetting is one assignment in a git configuration file. Key is
// "section.name" or "section.subsection.name" with section and name in lower
// case, as git compares them. Value is "true" where the file gives none.
type gitSetting struct {
	Key   string
	Value string
}

// parseGitConfig reads the syntax of git-config(1): sections with and without
// subsections, quotes, escapes, comments, continued lines.
//
// Unlike git it does not stop at the first error: a line that cannot be read
// is skipped. What is looked for are paths to protect, so reading more than git
// would is the safe side.
func parseGitConfig(text []byte) []gitSetting {
	p := gitConfigParser{rest: strings.TrimPrefix(string(text), "\ufeff")}
	var settings []gitSetting
	section := ""
	for {
		p.skipBlank()
		switch c := p.peek(); {
		case c == 0 && p.rest == "":
			return settings
		case c == '#' || c == ';':
			p.skipLine()
		case c == '[':
			section = p.section()
		case isLetter(c):
			key, value := p.setting()
			if section != "" {
				settings = append(settings, gitSetting{Key: section + "." + key, Value: value})
			}
		default:
			p.skipLine()
		}
	}
}

type gitConfigParser struct{ rest string }

// peek returns the next byte, or 0 at the end.
func (p *gitConfigParser) peek() byte {
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}

// next takes one byte; a CR before LF is not seen, as in git.
func (p *gitConfigParser) next() byte {
	if strings.HasPrefix(p.rest, "\r\n") {
		p.rest = p.rest[1:]
	}
	c := p.peek()
	if p.rest != "" {
		p.rest = p.rest[1:]
	}
	return c
}

func (p *gitConfigParser) skipBlank() { p.rest = strings.TrimLeft(p.rest, " \t\r\n\v\f") }

func (p *gitConfigParser) skipLine() {
	if _, rest, ok := strings.Cut(p.rest, "\n"); ok {
		p.rest = rest
	} else {
		p.rest = ""
	}
}

// section reads `[name]`, `[name "sub"]` or the old `[name.sub]` and returns
// the prefix of its keys, or "" where it is malformed.
func (p *gitConfigParser) section() string {
	p.next() // the bracket
	var name strings.Builder
	for {
		switch c := p.next(); {
		case c == ']':
			return strings.ToLower(name.String())
		case c == ' ' || c == '\t':
			return p.subsection(strings.ToLower(name.String()))
		case isLetter(c) || isDigit(c) || c == '-' || c == '.':
			name.WriteByte(c)
		case c == '\n' || c == 0:
			return ""
		default:
			p.skipLine()
			return ""
		}
	}
}

func (p *gitConfigParser) subsection(name string) string {
	p.rest = strings.TrimLeft(p.rest, " \t")
	if p.next() != '"' {
		p.skipLine()
		return ""
	}
	var sub strings.Builder
	for {
		switch c := p.next(); c {
		case '\n', 0:
			return ""
		case '"':
			if p.next() != ']' {
				p.skipLine()
				return ""
			}
			return name + "." + sub.String()
		case '\\':
			sub.WriteByte(p.next())
		default:
			sub.WriteByte(c)
		}
	}
}

// setting reads `name`, or `name = value` with its continued lines.
func (p *gitConfigParser) setting() (key, value string) {
	i := 0
	for i < len(p.rest) && (isLetter(p.rest[i]) || isDigit(p.rest[i]) || p.rest[i] == '-') {
		i++
	}
	key, p.rest = strings.ToLower(p.rest[:i]), strings.TrimLeft(p.rest[i:], " \t")
	if p.peek() != '=' {
		p.skipLine()
		return key, "true"
	}
	p.next()
	return key, p.value()
}

func (p *gitConfigParser) value() string {
	var v strings.Builder
	kept := 0 // length without trailing blanks that are not quoted
	quoted := false
	for {
		c := p.next()
		switch {
		case c == '\n' || c == 0 && p.rest == "":
			return v.String()[:kept]
		case c == '"':
			quoted = !quoted
			kept = v.Len()
			continue
		case !quoted && (c == '#' || c == ';'):
			p.skipLine()
			return v.String()[:kept]
		case !quoted && (c == ' ' || c == '\t'):
			if v.Len() > 0 {
				v.WriteByte(c)
			}
			continue
		case c == '\\':
			switch e := p.next(); e {
			case '\n':
				continue
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			default:
				c = e
			}
		}
		v.WriteByte(c)
		kept = v.Len()
	}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// gitBool reports how git reads a value where a boolean may stand; ok is false
// for other text, such as the path of a program.
func gitBool(value string) (on, ok bool) {
	switch strings.ToLower(value) {
	case "true", "yes", "on", "1":
		return true, true
	case "", "false", "no", "off", "0":
		return false, true
	}
	return false, false
}
