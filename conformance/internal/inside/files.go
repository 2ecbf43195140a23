// SPDX-License-Identifier: Apache-2.0

package inside

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/caisson-sandbox/caisson/conformance/internal/act"
)

// maxRead bounds what one act reads of a file.
const maxRead = 64 << 10

func fileOps() map[string]op {
	return map[string]op{
		// write Path Data: create or truncate, then write.
		"write": func(_ *Helper, r act.Request) act.Reply {
			return failed(os.WriteFile(r.Path, []byte(r.Data), 0o666))
		},
		// create Path Data: as write, where nothing may be there before.
		"create": func(_ *Helper, r act.Request) act.Reply {
			return failed(writeFlags(r.Path, r.Data, os.O_WRONLY|os.O_CREATE|os.O_EXCL))
		},
		// overwrite Path Data: write over what is there, without truncating.
		"overwrite": func(_ *Helper, r act.Request) act.Reply {
			return failed(writeFlags(r.Path, r.Data, os.O_RDWR))
		},
		// append Path Data
		"append": func(_ *Helper, r act.Request) act.Reply {
			return failed(writeFlags(r.Path, r.Data, os.O_WRONLY|os.O_APPEND))
		},
		// fill Path Num: a file of Num bytes of a known pattern.
		"fill": func(_ *Helper, r act.Request) act.Reply { return failed(fill(r.Path, r.Num)) },
		// truncate Path Num
		"truncate": func(_ *Helper, r act.Request) act.Reply { return failed(os.Truncate(r.Path, r.Num)) },
		"remove":   func(_ *Helper, r act.Request) act.Reply { return failed(os.Remove(r.Path)) },
		"removeall": func(_ *Helper, r act.Request) act.Reply {
			return failed(os.RemoveAll(r.Path))
		},
		"rename":  func(_ *Helper, r act.Request) act.Reply { return failed(os.Rename(r.Path, r.To)) },
		"link":    func(_ *Helper, r act.Request) act.Reply { return failed(os.Link(r.Path, r.To)) },
		"symlink": func(_ *Helper, r act.Request) act.Reply { return failed(os.Symlink(r.Path, r.To)) },
		"mkdir":   func(_ *Helper, r act.Request) act.Reply { return failed(os.Mkdir(r.Path, 0o777)) },
		"mkdirall": func(_ *Helper, r act.Request) act.Reply {
			return failed(os.MkdirAll(r.Path, 0o777))
		},
		// chmod Path Num
		"chmod": func(_ *Helper, r act.Request) act.Reply {
			return failed(os.Chmod(r.Path, os.FileMode(r.Num)))
		},
		// chtimes Path Num: seconds since 1970.
		"chtimes": func(_ *Helper, r act.Request) act.Reply {
			return failed(os.Chtimes(r.Path, time.Unix(r.Num, 0), time.Unix(r.Num, 0)))
		},
		// read Path: the content, as Data.
		"read": func(_ *Helper, r act.Request) act.Reply {
			f, err := os.Open(r.Path)
			if err != nil {
				return failed(err)
			}
			defer f.Close()
			return readAll(f)
		},
		// list Path: the names in a directory, as List.
		"list": func(_ *Helper, r act.Request) act.Reply {
			entries, err := os.ReadDir(r.Path)
			reply := failed(err)
			for _, e := range entries {
				reply.List = append(reply.List, e.Name())
			}
			return reply
		},
		// walk Path: the names below a directory at any depth, as List.
		"walk": func(_ *Helper, r act.Request) act.Reply {
			var reply act.Reply
			err := filepath.WalkDir(r.Path, func(path string, _ os.DirEntry, err error) error {
				if err == nil {
					reply.List = append(reply.List, path)
				}
				return nil
			})
			return act.Reply{Err: failed(err).Err, List: reply.List}
		},
		// stat Path: the size, as Num, and the mode, as List[0].
		"stat": func(_ *Helper, r act.Request) act.Reply {
			info, err := os.Stat(r.Path)
			if err != nil {
				return failed(err)
			}
			return act.Reply{Num: info.Size(), List: []string{info.Mode().String()}}
		},
		"readlink": func(_ *Helper, r act.Request) act.Reply {
			to, err := os.Readlink(r.Path)
			reply := failed(err)
			reply.Data = []byte(to)
			return reply
		},
		// check Path Num: whether a file has the content of fill.
		"check": func(_ *Helper, r act.Request) act.Reply { return failed(check(r.Path, r.Num)) },
		// race Path To Data Num: for Num milliseconds one thread makes Path now
		// a link to To, now a file, while another writes Data through it.
		"race": func(_ *Helper, r act.Request) act.Reply { return race(r) },
		// device Path: open a device for reading and for writing; either will do.
		"device": func(_ *Helper, r act.Request) act.Reply {
			f, err := openNonblock(r.Path)
			if err == nil {
				f.Close()
			}
			return failed(err)
		},
	}
}

func writeFlags(path, data string, flags int) error {
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(data)
	return errors.Join(err, f.Close())
}

func readAll(f io.Reader) act.Reply {
	data, err := io.ReadAll(io.LimitReader(f, maxRead))
	reply := failed(err)
	reply.Data = data
	return reply
}

// Pattern is the byte at an offset of what fill writes and pour prints.
func Pattern(offset int64) byte { return byte(offset ^ offset>>8 ^ offset>>16) }

// patterned reads as Pattern does, without end.
type patterned struct{ at int64 }

func (p *patterned) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = Pattern(p.at)
		p.at++
	}
	return len(b), nil
}

// Matches reads r to its end and compares it with n bytes of the pattern.
func Matches(r io.Reader, n int64) error {
	want, got := &patterned{}, make([]byte, 32<<10)
	expect := make([]byte, len(got))
	for at := int64(0); ; {
		c, err := r.Read(got)
		want.Read(expect[:c])
		if !bytes.Equal(got[:c], expect[:c]) {
			return errors.New("other bytes came, somewhere after offset " + strconv.FormatInt(at, 10))
		}
		at += int64(c)
		if err == io.EOF {
			if at != n {
				return errors.New(strconv.FormatInt(at, 10) + " bytes came instead of " + strconv.FormatInt(n, 10))
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Pour writes n bytes of the pattern.
func Pour(w io.Writer, n int64) error {
	_, err := io.CopyN(w, &patterned{}, n)
	return err
}

func fill(path string, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(Pour(f, n), f.Close())
}

func check(path string, n int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return Matches(f, n)
}

// race swaps a name between a link to a forbidden file and an innocent one
// while it is written through.
func race(r act.Request) act.Reply {
	end := time.Now().Add(time.Duration(r.Num) * time.Millisecond)
	spare := r.Path + ".spare"
	done := make(chan struct{})
	go func() {
		defer close(done)
		for time.Now().Before(end) {
			os.Remove(spare)
			os.Symlink(r.To, spare)
			os.Rename(spare, r.Path)
			os.WriteFile(spare, nil, 0o666)
			os.Rename(spare, r.Path)
		}
	}()
	var tries, wrote int64
	for time.Now().Before(end) {
		tries++
		if writeFlags(r.Path, r.Data, os.O_WRONLY|os.O_TRUNC) == nil {
			wrote++
		}
	}
	<-done
	return act.Reply{Num: tries, List: []string{strconv.FormatInt(wrote, 10)}}
}
