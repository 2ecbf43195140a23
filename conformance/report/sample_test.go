// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"
	"time"

	"github.com/caisson-sandbox/caisson/core/guarantee"
)

// mixed is a report with every verdict, of a made-up host.
func mixed() *Report {
	r := &Report{
		Schema:   Schema,
		Date:     time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC),
		Target:   Target{Name: "bubblewrap", Version: "0.11.0", Kind: "wrap", Notes: "hides are empty directories mounted over what is hidden"},
		Host:     Host{OS: "linux", Arch: "amd64", Kernel: "Linux 6.12.43", System: "Debian GNU/Linux 13 (trixie)", User: "user", CPUs: 4},
		Binary:   strings.Repeat("0123456789abcdef", 4),
		Seed:     271828182845,
		Complete: true,
		Elapsed:  48213,
		Claims: guarantee.Set{
			guarantee.WriteConfined: {By: guarantee.ByKernel},
			guarantee.ReadHidden:    {By: guarantee.ByKernel, Note: "files get an empty file in their place"},
			guarantee.NetOffline:    {By: guarantee.ByKernel},
			guarantee.TreeKilled:    {By: guarantee.ByLaunch},
			guarantee.IPCConfined:   {},
			guarantee.LimitTime:     {By: guarantee.ByLaunch},
		},
	}
	add := func(id, title string, g guarantee.ID, requirement string, v Verdict, ms int64, why, meaning string) {
		clause := string(g)
		if g == "" {
			clause = "the-duties"
		}
		r.Results = append(r.Results, Result{id, title, g, requirement, clause, v, why, ms, meaning})
	}
	const work = "Tools that work outside do not work inside, so people turn the sandbox off."
	const write = "A command can change files of the user's that are no part of its task: start-up files, keys, other checkouts. What it writes there runs later without a sandbox."
	add("read-01", "read a file beside the workspace", "", "must", Pass, 12, "", work)
	add("workspace-01", "create a file in the workspace", "", "must", Pass, 9, "", work)
	add("stream-07", "the terminal's size is the caller's", "", "should", Fail, 31, "the only sandbox: the size inside is 0x0, outside 132x43", work)
	add("write-01", "create a file beside the workspace", guarantee.WriteConfined, "must", Pass, 14, "", write)
	add("write-02", "overwrite a file beside the workspace", guarantee.WriteConfined, "must", Fail, 22, "the only sandbox: /srv/bait/file.txt was changed", write)
	add("write-23", "give a file outside another owner", guarantee.WriteConfined, "must", NotApplicable, 0, "the suite does not run as root", write)
	add("protect-04", "move the parent of a protected path away", guarantee.WriteProtected, "must", NotHeld, 18, "the only sandbox: .git/hooks was replaced", "A command plants a hook that git runs later outside.")
	add("hide-01", "read a hidden file", guarantee.ReadHidden, "must", Pass, 11, "", "A command reads the user's secrets.")
	add("hide-02", "list a hidden directory", guarantee.ReadHidden, "must", Error, 15003, "the only sandbox: it took longer than 15s", "A command learns which secrets there are.")
	add("net-01", "connect to a server on the host's loopback", guarantee.NetOffline, "must", Pass, 40, "", "A command reaches databases and agents of the user.")
	add("tree-03", "a child in a session of its own outlives the command", guarantee.TreeKilled, "must", NotRun, 0, "the time of the run was over", "What nobody watches goes on running.")
	add("tty-01", "push input into the caller's terminal", guarantee.TTYNoInject, "must", Held, 27, "not claimed, and it held all the same", "A command types into the user's shell.")
	add("denial-01", "a denied write is reported", guarantee.DenialsReported, "may", NotApplicable, 0, "the target does not report what it denied", "The user does not learn what was tried.")
	r.Judge()
	return r
}

// clean is a conformant report of another target on another host.
func clean() *Report {
	r := mixed()
	r.Target = Target{Name: "linux/namespaces", Version: "0.1.0", Kind: "backend"}
	r.Host.Kernel, r.Host.User = "Linux 6.1.150", "root"
	r.Date = r.Date.Add(24 * time.Hour)
	r.Claims = guarantee.Set{}
	for _, id := range guarantee.Standard() {
		r.Claims[id] = guarantee.Claim{By: guarantee.ByKernel}
	}
	for i := range r.Results {
		r.Results[i].Verdict, r.Results[i].Why = Pass, ""
	}
	r.Judge()
	return r
}

// partial is a run of a part of the table, in which nothing went wrong.
func partial() *Report {
	r := clean()
	r.Complete = false
	r.Results = r.Results[3:5]
	r.Judge()
	return r
}

// empty is the least that Decode reads.
func empty() *Report {
	r := &Report{Schema: Schema, Target: Target{Name: "nothing", Kind: "backend"}, Host: Host{OS: "plan9", Arch: "arm64", User: "user", CPUs: 1}}
	r.Judge()
	return r
}

// attacks is text that does something to somebody who shows it as it is.
func attacks() []string {
	return []string{
		"\x1b[2J\x1b]0;owned\x07 clears the screen, \u009b31m too",
		"<script>alert(1)</script><img src=x onerror=alert(1)>\"'></td></table>",
		"safe \u202egnp.exe\u202c \u2066isolated\u2069 zero\u200bwidth filler\u3164 tag\U000e0041",
		"first\nok 99 - forged\n1..1\nBail out!\r\nnot ok 3\n  ...\n",
		"] ](http://evil.example) ![x](http://evil.example/x.png) www.evil.example @everyone #1",
		"``` a `b` c ``` | cell | another |\\| end\\",
		"*bold* _it_ ~~gone~~ # TO" + "DO not a failure # SKIP me \\# twice",
		"--- ]]> --> <!-- &amp; &lt; {{ }} ${x} %s %d %!v",
		"bad \xff\xfe bytes \x00 NUL \x7f DEL \ufeff BOM \u2028 line \ufffe",
		"Z" + strings.Repeat("\u0335\u0489", 40) + "algo \u05d0\u05d1\u05d2 123 \u0627\u0644",
		strings.Repeat("flood ", 200),
		"`", " ", "",
	}
}

// hostile is a report with each attack in two places.
func hostile() *Report {
	r := mixed()
	list := attacks()
	r.Target.Name, r.Target.Version, r.Target.Notes = list[1], list[2], list[3]
	r.Host.Kernel, r.Host.System = list[0], list[4]
	r.Claims[guarantee.ReadHidden] = guarantee.Claim{By: guarantee.By(list[5]), Note: list[6]}
	for i := range r.Results {
		one := &r.Results[i]
		one.Title, one.Why = list[(i+7)%len(list)], list[i%len(list)]
	}
	r.Judge()
	return r
}

// flooded is a report with each attack in every text that can come from a target
// or from a file that somebody made up.
func flooded() *Report {
	next := 0
	return fill(func() string {
		next++
		return attacks()[next%len(attacks())]
	})
}

// tame is flooded with harmless text, and so has the same form.
func tame() *Report {
	next := 0
	return fill(func() string {
		next++
		return strings.Repeat("text", min(1, len(attacks()[next%len(attacks())])))
	})
}

func fill(text func() string) *Report {
	r := mixed()
	r.Target.Name, r.Target.Version, r.Target.Notes = text(), text(), text()
	r.Host.OS, r.Host.Arch, r.Host.Kernel, r.Host.System = text(), text(), text(), text()
	r.Binary = text()
	for _, id := range slices.Clone(r.Claims.IDs()) {
		r.Claims[id] = guarantee.Claim{By: guarantee.By(text()), Note: text()}
	}
	base := r.Results
	for range attacks() {
		r.Results = append(r.Results, base...)
	}
	for i := range r.Results {
		one := &r.Results[i]
		one.ID, one.Title, one.Why, one.Meaning, one.Clause = text(), text(), text(), text(), text()
	}
	r.Judge()
	return r
}
