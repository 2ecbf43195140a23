// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// copyBody copies the body of a request: n bytes, or chunks.
func copyBody(out io.Writer, in *bufio.Reader, n int64, limit int) error {
	if n == chunked {
		return copyChunks(out, in, limit)
	}
	_, err := io.CopyN(out, in, n)
	return err
}

// maxChunkLine bounds the line that begins a chunk.
const maxChunkLine = 256

// copyChunks copies a chunked body and writes each chunk anew, so that the
// other end reads the lengths that were read here. Extensions and trailers are
// dropped (RFC 9112, 7.1).
func copyChunks(out io.Writer, in *bufio.Reader, limit int) error {
	for {
		line := maxChunkLine
		text, err := readLine(in, &line)
		if err != nil {
			return err
		}
		size, extension, _ := strings.Cut(text, ";")
		n, err := chunkSize(strings.TrimRight(size, " \t"))
		if err != nil || !fieldValue(extension) {
			return bad("a chunk has no length")
		}
		if n == 0 {
			break
		}
		if _, err := fmt.Fprintf(out, "%x\r\n", n); err != nil {
			return err
		}
		if _, err := io.CopyN(out, in, n); err != nil {
			return err
		}
		end := 2
		if text, err := readLine(in, &end); err != nil || text != "" {
			return bad("a chunk does not end where it says")
		}
		if _, err := io.WriteString(out, "\r\n"); err != nil {
			return err
		}
	}
	for { // trailers
		text, err := readLine(in, &limit)
		if err != nil {
			return err
		}
		if text == "" {
			_, err := io.WriteString(out, "0\r\n\r\n")
			return err
		}
	}
}

func chunkSize(text string) (int64, error) {
	if len(text) > 15 || text == "" || strings.Trim(text, "0123456789abcdefABCDEF") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(text, 16, 64)
}
