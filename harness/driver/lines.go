package driver

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
)

// MaxLine is the longest line of the protocol in bytes, without its newline.
const MaxLine = 1 << 20

// errTooLong ends the reading of an over-long line. The bytes read so far come
// along for the error message.
var errTooLong = errors.New("line longer than 1 MiB")

// readLine reads one line without its newline (and without a carriage return
// before it). With an error it returns what was read of the unfinished line.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(bytes.TrimSuffix(line, []byte("\n"))) > MaxLine:
			return line, errTooLong
		case err == nil:
			return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		}
	}
}

// Bounds of what is kept of a driver's stderr.
const (
	tailLines     = 20
	tailLineBytes = 400
)

// tail keeps the last lines written to a driver's stderr.
type tail struct {
	mu    sync.Mutex
	lines []string
	done  chan struct{}
}

// follow starts to read r until it ends; done is closed then.
func follow(r io.Reader) *tail {
	t := &tail{done: make(chan struct{})}
	go func() {
		defer close(t.done)
		in := bufio.NewReader(r)
		for {
			// A line longer than the buffer counts as several.
			line, err := in.ReadSlice('\n')
			t.add(strings.TrimRight(string(line), "\r\n"))
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return
			}
		}
	}()
	return t
}

func (t *tail) add(line string) {
	if line == "" {
		return
	}
	if len(line) > tailLineBytes {
		line = line[:tailLineBytes]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = append([]string(nil), t.lines[len(t.lines)-tailLines:]...)
	}
}

// last returns a copy of the lines kept.
func (t *tail) last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.lines...)
}
