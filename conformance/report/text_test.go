// SPDX-License-Identifier: Apache-2.0

package report

import "testing"

func TestCode(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]raw{
		"plain *text* <b>":  "`plain *text* <b>`",
		"":                  "",
		" ":                 "`   `",
		"a | b":             "`a ¦ b`",
		"a ` b":             "``a ` b``",
		"a ``` b `":         "```` a ``` b ` ````",
		"`":                 "`` ` ``",
		`end\`:              "`end\\`",
		"two\nlines":        "`two\\nlines`",
		"http://x @all #12": "`http://x @all #12`",
	} {
		if got := code(in); got != want {
			t.Errorf("code(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestProse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain text: a, b. (c) d-e": "plain text: a, b. (c) d-e",
		"<b>*x*_y_`z`":              "\\<b\\>\\*x\\*\\_y\\_\\`z\\`",
		"[a](b) ![c](d)":            `\[a\](b) !\[c\](d)`,
		"a | b":                     `a \| b`,
		`a \| b`:                    `a \\\| b`,
		"see https://x.example":     `see https\://x.example`,
		"WWW.x.example www.y":       `WWW\.x.example www\.y`,
		"é.www":                     "é.www",
		"@all #12 ~~z~~ &lt; $x$":   `\@all \#12 \~\~z\~\~ \&lt; \$x\$`,
		"two\nlines":                `two\\nlines`,
	} {
		if got := prose(in); got != want {
			t.Errorf("prose(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	d := &document{escape: markup}
	type kind string
	d.put("%s %s %s %d %d %s", "<a>", raw("<b>"), kind("<c>"), 1, uint64(2), []string{"<d>"})
	if got, want := d.String(), "&lt;a&gt; <b> &lt;c&gt; 1 2 [&lt;d&gt;]"; got != want {
		t.Errorf("put gives %s, want %s", got, want)
	}
}
