// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/windows"

	"github.com/caisson-sandbox/caisson/core/winrun"
)

// console copies bytes between the caller's console and the pseudo console of a
// command. The nil console does nothing.
type console struct {
	in, out           *os.File // the caller's, which stay open
	input, output     windows.Handle
	inMode, outMode   uint32   // as they were
	toThem, fromThem  *os.File // ours
	theirIn, theirOut *os.File // the command's console has these
	copied            sync.WaitGroup
	done              chan struct{}
	once              sync.Once
}

func isConsole(f *os.File) bool {
	var mode uint32
	return f != nil && windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil
}

// newConsole sets the caller's console to pass everything on, and gives the
// files that the command's console reads and writes.
func newConsole(in, out *os.File) (_ *console, files []*os.File, err error) {
	c := &console{in: in, out: out, input: windows.Handle(in.Fd()), output: windows.Handle(out.Fd()), done: make(chan struct{})}
	if err := errors.Join(windows.GetConsoleMode(c.input, &c.inMode), windows.GetConsoleMode(c.output, &c.outMode)); err != nil {
		return nil, nil, fmt.Errorf("read the mode of the console: %w", err)
	}
	if c.theirIn, c.toThem, err = os.Pipe(); err != nil {
		return nil, nil, err
	}
	if c.fromThem, c.theirOut, err = os.Pipe(); err != nil {
		return nil, nil, errors.Join(err, c.theirIn.Close(), c.toThem.Close())
	}
	const raw = windows.ENABLE_VIRTUAL_TERMINAL_INPUT
	err = errors.Join(windows.SetConsoleMode(c.input, raw),
		windows.SetConsoleMode(c.output, c.outMode|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING))
	if err != nil {
		c.stop()
		return nil, nil, fmt.Errorf("set the mode of the console: %w", err)
	}
	c.copied.Go(func() { _, _ = io.Copy(c.out, c.fromThem) }) // until the command's console is closed
	go c.copyInput()
	return c, []*os.File{c.theirIn, c.theirOut}, nil
}

// copyInput passes keys on. It looks for some before it reads, so that it does
// not take one that comes after the command.
func (c *console) copyInput() {
	buffer := make([]byte, 4096)
	const look = 50 // milliseconds
	for {
		select {
		case <-c.done:
			return
		default:
		}
		if event, err := windows.WaitForSingleObject(c.input, look); err != nil || event != windows.WAIT_OBJECT_0 {
			continue
		}
		n, err := c.in.Read(buffer)
		if err != nil {
			return
		}
		if _, err := c.toThem.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// size gives the columns and rows of the caller's console.
func (c *console) size() (columns, rows int) {
	var info windows.ConsoleScreenBufferInfo
	if windows.GetConsoleScreenBufferInfo(c.output, &info) != nil {
		return 80, 25
	}
	return int(info.Window.Right-info.Window.Left) + 1, int(info.Window.Bottom-info.Window.Top) + 1
}

// follow passes changes of the size on until the command has ended.
func (c *console) follow(r *winrun.Remote) {
	if c == nil {
		return
	}
	go func() {
		columns, rows := c.size()
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			select {
			case <-c.done:
				tick.Stop()
				return
			case <-tick.C:
			}
			if x, y := c.size(); x != columns || y != rows {
				columns, rows = x, y
				_ = r.Resize(x, y) // the command may have ended
			}
		}
	}()
}

// interrupt types the key that interrupts.
func (c *console) interrupt() bool {
	if c == nil {
		return false
	}
	_, err := c.toThem.Write([]byte{3})
	return err == nil
}

func (c *console) closeTheirs() {
	_ = c.theirIn.Close() // duplicates are where they belong
	_ = c.theirOut.Close()
}

// stop waits for the last output and sets the console as it was.
func (c *console) stop() {
	if c == nil {
		return
	}
	c.once.Do(func() {
		c.closeTheirs()
		close(c.done)
		c.copied.Wait()
		_ = c.toThem.Close()
		_ = c.fromThem.Close()
		_ = windows.SetConsoleMode(c.input, c.inMode)
		_ = windows.SetConsoleMode(c.output, c.outMode)
	})
}
