// SPDX-License-Identifier: Apache-2.0

package host

import "runtime"

// lies are answers that are not to be accepted, by the name of the plugin that
// gives them. NAME stands for its name.
func lies() map[string]string {
	head := `{"format":1,"backend":"NAME","os":"linux","arch":"` + runtime.GOARCH + `",`
	claims := `"claims":{"fs.write.confined":{"by":"kernel"}},`
	wrap := `"steps":[` + wrapped + `]`
	return map[string]string{
		"json-describe":      `{`,
		"unknown-describe":   `{"name":"NAME","version":"1","os":["linux"],"rank":1,"root":true}`,
		"impostor-describe":  `{"name":"linux/namespaces","version":"1","os":["linux"],"rank":1}`,
		"escape-describe":    `{"name":"\u001b[2J","version":"1","os":["linux"],"rank":1}`,
		"windows-describe":   `{"name":"NAME","version":"1","os":["windows"],"rank":1}`,
		"json-probe":         `null`,
		"unknown-probe":      `{"usable":true,"offers":{"fs.write.all":{"by":"kernel"}},"facts":{}}`,
		"escape-probe":       `{"usable":true,"offers":{"net.offline":{"by":"kernel","note":"\u001b[2J"}},"facts":{}}`,
		"bidi-probe":         `{"usable":true,"offers":{},"unmet":[{"id":"net.offline","reason":"\u202eabc","grant":null}],"facts":{}}`,
		"json-prepare":       `{} {}`,
		"overclaims-prepare": head + `"claims":{"net.offline":{"by":"kernel"}},` + wrap + `}`,
		"vmclaims-prepare":   head + `"claims":{"fs.write.confined":{"by":"hope"}},` + wrap + `}`,
		"step-prepare":       head + claims + `"steps":[{"step":"chroot","path":"/"}]}`,
		"field-prepare":      head + claims + `"steps":[{"step":"wrap","programs":[{"path":"/bin/true"}],"unconfined":true}]}`,
		"format-prepare":     `{"format":2,"backend":"NAME","os":"linux","arch":"amd64",` + claims + wrap + `}`,
		"nothing-prepare":    head + claims + `"steps":[]}`,
		"other-prepare":      `{"format":1,"backend":"linux/namespaces","os":"linux","arch":"` + runtime.GOARCH + `",` + claims + wrap + `}`,
		"system-prepare":     `{"format":1,"backend":"NAME","os":"windows","arch":"` + runtime.GOARCH + `",` + claims + wrap + `}`,
		"env-prepare":        head + claims + wrap + `,"env":[{"name":"LD_PRELOAD","value":"/w/x.so"}]}`,
		"path-prepare":       head + claims + wrap + `,"env":[{"name":"PATH","value":"/w"}]}`,
		"unset-prepare":      head + claims + wrap + `,"env":[{"name":"HOME","unset":true}]}`,
		"policyenv-prepare":  head + claims + wrap + `,"env":[{"name":"SET_BY_POLICY","value":"x"}]}`,
		"note-prepare":       head + claims + wrap + `,"notes":[{"code":"network-open","message":"\u001b]52;c;x\u0007","grant":null}]}`,
		"notecode-prepare":   head + claims + wrap + `,"notes":[{"code":"all-is-well","message":"x","grant":null}]}`,
		"reason-prepare":     head + claims + wrap + `,"unmet":[{"id":"net.offline","reason":"\u009b2J","grant":null}]}`,
		"hash-prepare":       head + claims + `"steps":[{"step":"wrap","programs":[{"path":"/bin/true","sha256":"` + zeros + `"}]}]}`,
		"inside-prepare":     head + claims + `"steps":[{"step":"wrap","programs":[{"path":"WORKSPACE/wrapper"}]}]}`,
		"foreign-prepare":    head + claims + `"steps":[{"step":"wrap","programs":[{"path":"FOREIGN"}]}]}`,
		"missing-prepare":    head + claims + `"steps":[{"step":"wrap","programs":[{"path":"/bin/no-such-program"}]}]}`,
		"file-prepare":       head + claims + `"steps":[{"step":"wrap","programs":[{"path":"/bin/true"}],"files":[{"name":"../../etc/cron.d/x","text":"x"}]}]}`,
		"symbol-prepare":     head + claims + `"steps":[{"step":"wrap","programs":[{"path":"/bin/true","args":["{tmp}/../../x"]}]}]}`,
		"writes-prepare":     head + claims + `"steps":[` + spaces + `,{"step":"bind","path":"/etc","access":"write","kind":"dir","role":"root"}]}`,
		"shows-prepare":      head + claims + `"steps":[` + spaces + `,{"step":"bind","path":"HIDDEN","access":"read","kind":"dir","role":"show"}]}`,
		"proxy-prepare":      head + claims + `"steps":[` + spaces + `,{"step":"egress","proxy":61080}]}`,
		"loopback-prepare":   head + claims + `"steps":[` + spaces + `,{"step":"egress","loopback":[5432]}]}`,
		"publish-prepare":    head + claims + `"steps":[` + spaces + `,{"step":"egress","publish":[5432]}]}`,
		"socket-prepare":     head + claims + `"steps":[` + spaces + `,{"step":"broker","allow":["/run/docker.sock"]}]}`,
		"reveals-prepare":    head + claims + `"steps":[` + spaces + `]}`,
		"holds-prepare":      head + claims + `"steps":[{"step":"hold","path":"HIDDEN/hold","kind":"file","content":"x"},` + wrapped + `]}`,
		"content-prepare":    head + claims + `"steps":[{"step":"hold","path":"WORKSPACE/.mcp.json","kind":"file","content":"evil"},` + wrapped + `]}`,
		"moves-prepare":      head + claims + `"steps":[{"step":"watch","quarantine":["HIDDEN"]},` + wrapped + `]}`,
		"watches-prepare":    head + claims + `"steps":[{"step":"watch","git":["HIDDEN"]},` + wrapped + `]}`,
		"grants-prepare":     head + claims + `"steps":[{"step":"broker","allow":["/run/x.sock"]},` + wrapped + `]}`,
		"bare-prepare":       head + claims + `"steps":[{"step":"namespaces","kinds":["user","mount","pid"],"ids":"self","loopback":false}]}`,
	}
}

const (
	wrapped = `{"step":"wrap","programs":[{"path":"/usr/bin/env","args":[]}]}`
	zeros   = "0000000000000000000000000000000000000000000000000000000000000000"
	spaces  = `{"step":"namespaces","kinds":["user","mount","pid","net","ipc"],"ids":"self","loopback":true},{"step":"read-only-root"}`
)
