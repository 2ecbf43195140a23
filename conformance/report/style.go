// SPDX-License-Identifier: Apache-2.0

package report

import (
	"crypto/sha256"
	"encoding/base64"
)

// page begins an HTML page. It is one file that loads nothing: the policy in it
// allows this style sheet and nothing else, so that even text which got through
// as markup could neither run nor fetch anything.
func page(title string) *document {
	d := &document{escape: markup}
	sum := sha256.Sum256([]byte(style))
	d.put(`<!DOCTYPE html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<style>%s</style>
</head>
<body>
`, raw(base64.StdEncoding.EncodeToString(sum[:])), title, raw(style))
	return d
}

// bdi is text of the target beside other text. Letters that are written from
// right to left keep their order, and leave that of what is around them alone.
func bdi(s string) raw { return raw("<bdi>" + markup(s) + "</bdi>") }

// badge is a verdict, or the words for one, with the verdict's colours. The words
// alone say everything; colours only help the eye.
func badge(v Verdict, words string) raw {
	class := "none"
	if rank(v) >= 0 {
		class = string(v)
	}
	return raw(`<span class="badge ` + class + `">` + markup(words) + `</span>`)
}

// style is the style sheet of both pages. Text and ground have a contrast of at
// least 4.5, see WCAG 2.2, 1.4.3.
const style = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f5f6f8; --text: #1b1f24; --quiet: #565e68; --line: #d3d8de; --link: #0b57b0;
  --good: #0f6b34; --good-ground: #e2f4e8; --bad: #a3161f; --bad-ground: #fde8e8;
  --warn: #7a4d00; --warn-ground: #fdf1d8; --plain: #4a525c; --plain-ground: #eaedf0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --raised: #1d2127; --text: #e4e7eb; --quiet: #a3acb7; --line: #3a414b; --link: #86b8f7;
    --good: #7fdba0; --good-ground: #14341f; --bad: #ff9d9d; --bad-ground: #451a1d;
    --warn: #f2c66d; --warn-ground: #3c2d0c; --plain: #bcc4ce; --plain-ground: #2b3139;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 64rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 0; display: flex; flex-wrap: wrap; gap: .35rem .75rem; align-items: baseline; }
p { margin: .35rem 0; }
a { color: var(--link); }
code, .id { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .92em; }
.quiet { color: var(--quiet); }
.outcome { padding: 1rem 1.25rem; border-radius: .5rem; border-left: .4rem solid; }
.outcome strong { font-size: 1.35rem; }
.outcome ul { margin: .5rem 0 0; padding-left: 1.25rem; }
.good { background: var(--good-ground); border-color: var(--good); } .good strong { color: var(--good); }
.bad { background: var(--bad-ground); border-color: var(--bad); } .bad strong { color: var(--bad); }
.part { background: var(--warn-ground); border-color: var(--warn); } .part strong { color: var(--warn); }
.badge { display: inline-block; padding: .05rem .5rem; border-radius: .3rem; font-size: .85rem; font-weight: 600; white-space: nowrap;
  color: var(--plain); background: var(--plain-ground); }
.badge.pass, .badge.held { color: var(--good); background: var(--good-ground); }
.badge.held { background: none; box-shadow: inset 0 0 0 1px var(--good); }
.badge.fail, .badge.error { color: var(--bad); background: var(--bad-ground); }
.badge.not-held, .badge.not-run { color: var(--warn); background: var(--warn-ground); }
.counts { display: flex; flex-wrap: wrap; gap: .5rem 1rem; list-style: none; margin: 1rem 0 0; padding: 0; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .3rem 1.25rem; margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 600; }
tbody th { font-weight: inherit; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
section.guarantee { margin: 1rem 0; padding: .9rem 1.1rem; border: 1px solid var(--line); border-radius: .5rem; }
.case { margin: .8rem 0 0; padding: .7rem .9rem; background: var(--raised); border-radius: .4rem; }
.case p { margin: .3rem 0 0; }
.case .title { margin: 0; display: flex; flex-wrap: wrap; gap: .2rem .6rem; align-items: baseline; }
.why { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .9rem; }
details { margin-top: .7rem; }
summary { cursor: pointer; color: var(--link); }
details ul { margin: .4rem 0 0; padding-left: 1.25rem; }
.notes { margin-top: .8rem; }
.claims th, .claims .number { white-space: nowrap; overflow-wrap: normal; }
.matrix { width: auto; min-width: 100%; overflow-wrap: normal; }
.matrix tbody th { position: sticky; left: 0; background: var(--ground); min-width: 9rem; max-width: 24rem; overflow-wrap: anywhere; }
.matrix td, .matrix thead th { white-space: nowrap; }
.matrix tbody th a { white-space: nowrap; }
.short { display: inline-block; max-width: 10rem; overflow: hidden; text-overflow: ellipsis; vertical-align: bottom; font-weight: 400; }
@media (max-width: 40rem) {
  body { padding: 1rem .9rem 3rem; }
  h1 { font-size: 1.35rem; }
  .claims thead { display: none; }
  .claims tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .claims th, .claims td { padding: 0; border: 0; }
  .claims th, .claims td { display: block; white-space: normal; overflow-wrap: anywhere; }
  .claims .number, .claims .number + td { display: inline-block; margin: .2rem .75rem 0 0; }
  .claims .number::before { content: "cases: "; color: var(--quiet); }
  .matrix tbody th { min-width: 7rem; max-width: 9rem; font-size: .85rem; }
}
@media (max-width: 26rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
}
@media print { body { max-width: none; } .badge, .outcome { border: 1px solid; } }
`
