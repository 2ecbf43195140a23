// SPDX-License-Identifier: Apache-2.0

package access

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A corpus is what the kernel of a real machine answered: lines of JSON. The
// first line says which machine it was. Each line after it is a token, or a
// question about the last token with the answer: the rights that were granted,
// in hexadecimal, or "denied".
type (
	corpusHead struct {
		Format  int    `json:"format"` // 1
		System  string `json:"system"` // "windows"; "wine" is no evidence
		Build   int    `json:"build"`
		Arch    string `json:"arch"`
		Edition string `json:"edition"`
	}
	corpusLine struct {
		Token   *corpusToken `json:"token,omitempty"`
		SD      string       `json:"sd,omitempty"`
		Desired string       `json:"desired,omitempty"`
		Answer  string       `json:"answer,omitempty"`
	}
	corpusToken struct {
		User        string        `json:"user"`
		Groups      []corpusGroup `json:"groups"`
		Restricting []string      `json:"restricting"` // null: not restricted
		Write       bool          `json:"write"`       // WRITE_RESTRICTED
		Integrity   uint32        `json:"integrity"`
	}
	corpusGroup struct {
		SID  string `json:"sid"`
		Is   bool   `json:"is"`   // enabled
		Deny bool   `json:"deny"` // only to deny
	}
)

func (t Token) corpus() *corpusToken {
	c := &corpusToken{User: string(t.User), Write: t.WriteRestricted, Integrity: uint32(t.Integrity), Groups: []corpusGroup{}}
	for _, g := range t.Groups {
		c.Groups = append(c.Groups, corpusGroup{string(g.SID), g.Enabled, g.DenyOnly})
	}
	if t.Restricting != nil {
		c.Restricting = []string{}
	}
	for _, s := range t.Restricting {
		c.Restricting = append(c.Restricting, string(s))
	}
	return c
}

func (c corpusToken) token() Token {
	t := Token{User: SID(c.User), WriteRestricted: c.Write, Integrity: Integrity(c.Integrity)}
	for _, g := range c.Groups {
		t.Groups = append(t.Groups, Group{SID(g.SID), g.Is, g.Deny})
	}
	if c.Restricting != nil {
		t.Restricting = []SID{}
	}
	for _, s := range c.Restricting {
		t.Restricting = append(t.Restricting, SID(s))
	}
	return t
}

// writeCorpus writes the questions about each token with what ask answers.
func writeCorpus(w io.Writer, head corpusHead, tokens []Token, questions func(token int) []question, ask func(token int, q question) (string, error)) error {
	out := json.NewEncoder(w)
	if err := out.Encode(head); err != nil {
		return err
	}
	for i, t := range tokens {
		if err := out.Encode(corpusLine{Token: t.corpus()}); err != nil {
			return err
		}
		for _, q := range questions(i) {
			answer, err := ask(i, q)
			if err != nil {
				return fmt.Errorf("%s: %w", q.line(), err)
			}
			if err := out.Encode(corpusLine{SD: q.d.String(), Desired: fmt.Sprintf("0x%x", uint32(q.desired)), Answer: answer}); err != nil {
				return err
			}
		}
	}
	return nil
}

// replay asks the model what a corpus asked the kernel. It returns how many
// questions there were and the answers that differ.
func replay(r io.Reader) (asked int, differ []string, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var head corpusHead
	var token *Token
	for n := 1; lines.Scan(); n++ {
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		if n == 1 {
			if err := d.Decode(&head); err != nil || head.Format != 1 || head.System != "windows" {
				return 0, nil, fmt.Errorf("line 1: no corpus of Windows: %+v, %v", head, err)
			}
			continue
		}
		var l corpusLine
		if err := d.Decode(&l); err != nil {
			return asked, differ, fmt.Errorf("line %d: %w", n, err)
		}
		if l.Token != nil {
			t := l.Token.token()
			token = &t
			continue
		}
		sd, err := ParseDescriptor(l.SD)
		desired, bad := strconv.ParseUint(l.Desired, 0, 32)
		if err = errors.Join(err, bad); err != nil || token == nil || l.Answer == "" {
			return asked, differ, fmt.Errorf("line %d: a question without token, rights or answer: %v", n, err)
		}
		asked++
		if ours := kernelWord(question{sd, *token, Mask(desired)}.answer()); ours != l.Answer {
			differ = append(differ, fmt.Sprintf("line %d: the kernel says %s, the model %s", n, l.Answer, ours))
		}
	}
	return asked, differ, lines.Err()
}

// kernelWord is the answer as AccessCheck gives it, which calls a privilege that
// is not held a denial too.
func kernelWord(answer string) string { return strings.Replace(answer, "privilege", "denied", 1) }

// TestCorpus replays what real machines answered. The workflow for Windows
// records it; see docs/windows.md.
func TestCorpus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/corpus/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("SKIPPED: NEVER RUN ON WINDOWS: testdata/corpus holds no answers of a real kernel")
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		asked, differ, err := replay(f)
		f.Close()
		if err != nil || asked < 1000 {
			t.Errorf("%s: %d questions, %v", file, asked, err)
		}
		for _, d := range differ[:min(len(differ), 5)] {
			t.Errorf("%s: %s", file, d)
		}
		t.Logf("%s: %d questions, %d answers differ", file, asked, len(differ))
	}
}

// TestReplay writes a corpus with the model as the kernel and replays it; then
// with an answer that is wrong, and with what is no corpus.
func TestReplay(t *testing.T) {
	t.Parallel()
	g := generator{random: rand.New(rand.NewPCG(3, 4)), ownerRights: true, maximum: true, denyOnly: true, restricting: true}
	var tokens []Token
	restricted := 0
	for range 20 {
		q := g.question()
		tokens = append(tokens, q.t)
		if q.t.Restricting != nil {
			restricted++
		}
	}
	questions := func(i int) (list []question) {
		for range 50 {
			q := g.question()
			q.t = tokens[i]
			q.d.Label = g.label()
			list = append(list, q)
		}
		return list
	}
	honest := func(_ int, q question) (string, error) { return kernelWord(q.answer()), nil }
	var b bytes.Buffer
	if err := writeCorpus(&b, corpusHead{Format: 1, System: "windows"}, tokens, questions, honest); err != nil {
		t.Fatal(err)
	}
	asked, differ, err := replay(bytes.NewReader(b.Bytes()))
	if asked != 1000 || len(differ) > 0 || err != nil || restricted < 5 {
		t.Errorf("%d asked of %d restricted tokens, %q, %v", asked, restricted, differ, err)
	}
	wrong := strings.Replace(b.String(), `"answer":"denied"`, `"answer":"0x1"`, 1)
	if _, differ, err := replay(strings.NewReader(wrong)); len(differ) != 1 || err != nil {
		t.Errorf("a wrong answer: %q, %v", differ, err)
	}
	head, rest, _ := strings.Cut(b.String(), "\n")
	for name, text := range map[string]string{
		"nothing but questions": rest, "Wine": strings.Replace(b.String(), `"system":"windows"`, `"system":"wine"`, 1),
		"no token": head + "\n" + rest[strings.Index(rest, "\n")+1:], "half a line": b.String()[:b.Len()-9], "more": head + "\n{\"x\":1}\n",
	} {
		if asked, _, err := replay(strings.NewReader(text)); err == nil {
			t.Errorf("%s is taken, with %d questions", name, asked)
		}
	}
}
