package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
)

// line is one line of input, or why there is none.
type line struct {
	text    []byte
	tooLong bool
	err     error
}

// readLines reads in on a goroutine of its own, so that Serve can leave while
// a read blocks. The channel is closed when ctx ends.
func readLines(ctx context.Context, in io.Reader) <-chan line {
	out := make(chan line)
	go func() {
		defer close(out)
		r := bufio.NewReader(in)
		for {
			l := readLine(r)
			select {
			case out <- l:
			case <-ctx.Done():
				return
			}
			if l.err != nil {
				return
			}
		}
	}()
	return out
}

// readLine reads one line. What is beyond MaxLine is read and dropped. A last
// line without its newline counts.
func readLine(r *bufio.Reader) line {
	var l line
	for {
		part, err := r.ReadSlice('\n')
		if err == nil {
			part = part[:len(part)-1]
		}
		if l.tooLong = l.tooLong || len(l.text)+len(part) > MaxLine; l.tooLong {
			l.text = nil
		} else {
			l.text = append(l.text, part...)
		}
		switch {
		case err == nil:
			return l
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && (len(l.text) > 0 || l.tooLong):
			return l
		default:
			return line{err: err}
		}
	}
}

// request is a line that could be read. Field names are exact: encoding/json
// alone would take "ID" for "id".
type request struct {
	id     *uint64
	cmd    string
	fields map[string]json.RawMessage
}

// maxID is the largest id that every language's numbers can hold.
const maxID = 1<<53 - 1

// parse reads a line. With an error the id is set if it could be read.
func parse(l line) (q request, err error) {
	if l.tooLong {
		return q, refuse(BadRequest, "the line is longer than %d bytes", MaxLine)
	}
	if json.Unmarshal(l.text, &q.fields) != nil || q.fields == nil {
		return q, refuse(BadRequest, "the line is not a JSON object")
	}
	var id uint64
	if json.Unmarshal(q.fields["id"], &id) != nil || id < 1 || id > maxID {
		return q, refuse(BadRequest, "id is not a whole number from 1 to %d", maxID)
	}
	q.id = &id
	q.cmd, err = q.text("cmd")
	return q, err
}

// text returns a field that has to be a string.
func (q request) text(field string) (string, error) {
	var s *string
	if json.Unmarshal(q.fields[field], &s) != nil || s == nil {
		return "", refuse(BadRequest, "%s is missing or not a string", field)
	}
	return *s, nil
}
