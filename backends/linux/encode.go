// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"encoding/json"
	"strconv"
	"strings"
)

// MarshalJSON writes the facts. It is written by hand because it is on the way
// of every launch: what encoding/json prepares for a type that it sees for the
// first time costs more than half of a sandbox.
func (f Facts) MarshalJSON() ([]byte, error) {
	w := writer{b: make([]byte, 0, 4<<10)}
	w.add("{")
	w.number("format", int64(f.Format))
	w.text("kernel", f.Kernel)
	w.text("arch", f.Arch)
	w.number("uid", int64(f.UID))
	w.number("gid", int64(f.GID))
	w.number("memory", f.Memory)
	w.number("landlock", int64(f.Landlock))
	w.truth("notify", f.Notify)
	w.truth("nested", f.Nested)
	w.texts("temp", f.Temp)
	w.key("run")
	w.add("[")
	for _, e := range f.Run {
		w.comma()
		w.add("{")
		w.text("path", e.Path)
		w.text("kind", e.Kind)
		if e.Target != "" {
			w.text("target", e.Target)
		}
		w.add("}")
	}
	w.add("]")
	w.texts("mounts", f.Mounts)
	w.texts("file_mounts", f.FileMounts)
	if f.Cgroup != nil {
		w.key("cgroup")
		w.add("{")
		w.text("dir", f.Cgroup.Dir)
		w.truth("memory", f.Cgroup.Memory)
		w.truth("pids", f.Cgroup.Pids)
		w.add("}")
	}
	w.key("trial")
	w.add("{")
	w.truth("ok", f.Trial.OK)
	if !f.Trial.OK {
		w.text("step", f.Trial.Step)
		w.text("entry", f.Trial.Entry)
		w.text("errno", f.Trial.Errno)
		w.text("message", f.Trial.Message)
	}
	w.add("}")
	if f.Fence != nil {
		fence, err := json.Marshal(f.Fence)
		if err != nil {
			return nil, err
		}
		w.key("fence")
		w.add(string(fence))
	}
	w.key("hints")
	if f.Hints == nil {
		w.add("null}")
		return w.b, w.err
	}
	hints, err := json.Marshal(f.Hints) // only where a launch has failed
	if err != nil {
		return nil, err
	}
	w.add(string(hints) + "}")
	return w.b, w.err
}

// writer appends JSON.
type writer struct {
	b   []byte
	err error
}

// comma separates from what came before inside the same brackets.
func (w *writer) comma() {
	if c := w.b[len(w.b)-1]; c != '{' && c != '[' {
		w.b = append(w.b, ',')
	}
}

func (w *writer) add(s string) { w.b = append(w.b, s...) }

func (w *writer) key(name string) {
	w.comma()
	w.add(`"` + name + `":`)
}

func (w *writer) number(name string, n int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *writer) truth(name string, v bool) {
	w.key(name)
	w.b = strconv.AppendBool(w.b, v)
}

func (w *writer) text(name, s string) {
	w.key(name)
	w.quote(s)
}

func (w *writer) texts(name string, list []string) {
	w.key(name)
	w.add("[")
	for _, s := range list {
		w.comma()
		w.quote(s)
	}
	w.add("]")
}

// quote writes plain text itself and leaves the rest to encoding/json.
func (w *writer) quote(s string) {
	special := func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
	if strings.IndexFunc(s, special) < 0 {
		w.add(`"` + s + `"`)
		return
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		w.err = err
	}
	w.add(string(quoted))
}
