// SPDX-License-Identifier: Apache-2.0

package access

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rights are the two-letter rights of SDDL, see "ACE Strings".
func rights() map[string]Mask {
	return map[string]Mask{
		"GA": GenericAll, "GR": GenericRead, "GW": GenericWrite, "GX": GenericExecute,
		"RC": ReadControl, "SD": Delete, "WD": WriteDAC, "WO": WriteOwner,
		"FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
		"KA": 0xF003F, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019,
		"CC": 1, "DC": 2, "LC": 4, "SW": 8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
		"NW": noWriteUp, "NR": noReadUp, "NX": noExecuteUp,
	}
}

// flagNames are the two-letter flags of SDDL, in the order that is printed.
func flagNames() []struct {
	text string
	flag Flags
} {
	return []struct {
		text string
		flag Flags
	}{{"OI", ObjectInherit}, {"CI", ContainerInherit}, {"NP", NoPropagate}, {"IO", InheritOnly}, {"ID", Inherited}}
}

// ParseACE reads one ACE in SDDL, brackets included: "(A;OICI;FA;;;BA)". Types
// are A, D and ML; object and conditional ACEs are refused. SIDs may be symbols.
func ParseACE(text string) (ACE, error) {
	wrong := func(what string) (ACE, error) { return ACE{}, fmt.Errorf("ACE %q: %s", text, what) }
	inner, ok := strings.CutPrefix(text, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	fields := strings.Split(inner, ";")
	if !ok || !closed || len(fields) != 6 {
		return wrong("not of six fields in brackets")
	}
	if fields[3] != "" || fields[4] != "" {
		return wrong("object types are not known")
	}
	kind := slices.Index([]string{"A", "D", "ML"}, fields[0])
	if kind < 0 {
		return wrong("the type is none of A, D, ML")
	}
	a := ACE{Kind: Kind(kind)}
	if len(fields[1])%2 != 0 {
		return wrong("the flags are no pairs of letters")
	}
	for i := 0; i < len(fields[1]); i += 2 {
		at := slices.IndexFunc(flagNames(), func(f struct {
			text string
			flag Flags
		}) bool {
			return f.text == fields[1][i:i+2]
		})
		if at < 0 {
			return wrong("unknown flag " + strconv.Quote(fields[1][i:i+2]))
		}
		a.Flags |= flagNames()[at].flag
	}
	mask, err := parseMask(fields[2])
	if err != nil {
		return wrong(err.Error())
	}
	a.Mask = mask
	if sid, known := aliases()[fields[5]]; known {
		a.SID = sid
		return a, nil
	}
	if a.SID, err = ParseSID(fields[5]); err != nil {
		return wrong(err.Error())
	}
	return a, nil
}

func parseMask(text string) (Mask, error) {
	if hex, ok := strings.CutPrefix(text, "0x"); ok {
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			return 0, fmt.Errorf("rights %q", text)
		}
		return Mask(n), nil
	}
	if text == "" || len(text)%2 != 0 {
		return 0, fmt.Errorf("rights %q", text)
	}
	var m Mask
	for i := 0; i < len(text); i += 2 {
		r, ok := rights()[text[i:i+2]]
		if !ok {
			return 0, fmt.Errorf("unknown right %q", text[i:i+2])
		}
		m |= r
	}
	return m, nil
}

// String gives the ACE in SDDL, with rights in hexadecimal and SIDs in full,
// so that equal ACEs are equal text.
func (a ACE) String() string {
	var flags strings.Builder
	for _, f := range flagNames() {
		if a.Flags&f.flag != 0 {
			flags.WriteString(f.text)
		}
	}
	return fmt.Sprintf("(%s;%s;0x%x;;;%s)", []string{"A", "D", "ML"}[a.Kind%3], flags.String(), uint32(a.Mask), a.SID)
}

// ParseDescriptor reads a security descriptor in SDDL: owner, group, DACL and
// a mandatory label. "D:NO_ACCESS_CONTROL" is the list that grants everything;
// without "D:" there is none either.
func ParseDescriptor(text string) (Descriptor, error) {
	var d Descriptor
	for rest := text; rest != ""; {
		if len(rest) < 2 || rest[1] != ':' {
			return Descriptor{}, fmt.Errorf("descriptor %q: no part at %q", text, rest)
		}
		tag := rest[0]
		rest = rest[2:]
		var part string
		part, rest = cutPart(rest)
		var err error
		switch tag {
		case 'O':
			d.Owner, err = parseName(part)
		case 'G':
			d.Group, err = parseName(part)
		case 'D':
			err = d.parseList(part)
		case 'S':
			err = d.parseLabel(part)
		default:
			err = fmt.Errorf("unknown part %q", string(tag))
		}
		if err != nil {
			return Descriptor{}, fmt.Errorf("descriptor %q: %w", text, err)
		}
	}
	return d, nil
}

// cutPart cuts before the next "X:" that is outside brackets.
func cutPart(s string) (part, rest string) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ':':
			if depth == 0 && i > 0 {
				return s[:i-1], s[i-1:]
			}
		}
	}
	return s, ""
}

func parseName(text string) (SID, error) {
	if sid, ok := aliases()[text]; ok {
		return sid, nil
	}
	return ParseSID(text)
}

func (d *Descriptor) parseList(text string) error {
	if text == "NO_ACCESS_CONTROL" {
		return nil
	}
	flags, rest := text, ""
	if i := strings.IndexByte(text, '('); i >= 0 {
		flags, rest = text[:i], text[i:]
	}
	for flags != "" {
		switch {
		case strings.HasPrefix(flags, "AI"), strings.HasPrefix(flags, "AR"):
			flags = flags[2:]
		case strings.HasPrefix(flags, "P"):
			d.Protected, flags = true, flags[1:]
		default:
			return fmt.Errorf("unknown control %q", flags)
		}
	}
	list, err := parseACEs(rest)
	d.DACL = list
	return err
}

func (d *Descriptor) parseLabel(text string) error {
	list, err := parseACEs(strings.TrimLeft(text, "PAIR"))
	if err != nil {
		return err
	}
	if len(list) != 1 || list[0].Kind != Label {
		return fmt.Errorf("%q is not one label", text)
	}
	d.Label = &list[0]
	return nil
}

func parseACEs(text string) ([]ACE, error) {
	list := []ACE{}
	for text != "" {
		end := strings.IndexByte(text, ')')
		if end < 0 {
			return nil, fmt.Errorf("an ACE without end: %q", text)
		}
		a, err := ParseACE(text[:end+1])
		if err != nil {
			return nil, err
		}
		list, text = append(list, a), text[end+1:]
	}
	return list, nil
}

// String gives the descriptor in SDDL.
func (d Descriptor) String() string {
	var b strings.Builder
	if d.Owner != "" {
		b.WriteString("O:" + string(d.Owner))
	}
	if d.Group != "" {
		b.WriteString("G:" + string(d.Group))
	}
	b.WriteString("D:")
	if d.Protected {
		b.WriteString("P")
	}
	if d.DACL == nil {
		b.WriteString("NO_ACCESS_CONTROL")
	}
	for _, a := range d.DACL {
		b.WriteString(a.String())
	}
	if d.Label != nil {
		b.WriteString("S:" + d.Label.String())
	}
	return b.String()
}
