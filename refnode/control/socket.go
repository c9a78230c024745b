package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"
)

// SocketName is the name of a node's socket in its data directory.
const SocketName = "control.sock"

// maxAskers bounds who is answered at a time; another one waits to be accepted.
const maxAskers = 16

// acceptPause is how long nobody is accepted after the operating system refused to.
const acceptPause = 100 * time.Millisecond

// replyTime is how long an asker may take to read the last reply when the node ends,
// and readTime any other one: who does not read keeps others from asking.
const (
	replyTime = time.Second
	readTime  = 10 * time.Second
)

// ErrNoNode says that nobody answers at a socket.
var ErrNoNode = errors.New("no node runs there")

// Socket lets other processes of the same user give orders to a running node, as
// lines in and lines out. Who may is decided by the file: its mode is 0600, and it
// lies in a directory with mode 0700.
type Socket struct {
	listener *net.UnixListener
	asking   chan struct{} // a token for each asker
	ended    sync.WaitGroup
	readTime time.Duration
}

// replies is where the replies to an asker are written, each in limited time.
type replies struct {
	c    *net.UnixConn
	time time.Duration

	mu   sync.Mutex
	last bool // the node ends: the deadline is set
}

func (r *replies) Write(b []byte) (int, error) {
	r.mu.Lock()
	if !r.last {
		_ = r.c.SetWriteDeadline(time.Now().Add(r.time))
	}
	r.mu.Unlock()
	return r.c.Write(b)
}

// end says that the reply that is being written is the last one.
func (r *replies) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = true
	_ = r.c.SetWriteDeadline(time.Now().Add(min(r.time, replyTime)))
}

// Listen makes the socket. The caller holds the lock of the data directory: a
// socket that is there already was left by a process that died, and is replaced;
// anything else there is not touched. A path of more than about 100 bytes is
// refused, by the operating system.
func Listen(path string) (*Socket, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("control socket: %w", err)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("control socket: %w", errors.Join(err, l.Close()))
	}
	return &Socket{listener: l, asking: make(chan struct{}, maxAskers), readTime: readTime}, nil
}

// Serve obeys whoever connects, several at a time, until ctx ends or one of them
// said stop; then it ends the others and reports whether it was a stop. The file is
// gone when it returns.
func (s *Socket) Serve(ctx context.Context, n Node) (stopped bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = s.listener.Close() })()
	var once sync.Once
	for {
		c, err := s.listener.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil {
				_ = c.Close()
			}
			break
		}
		if err != nil { // too many files are open, or the like
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		s.asking <- struct{}{}
		s.ended.Go(func() {
			defer func() { <-s.asking }()
			defer c.Close()
			out := &replies{c: c, time: s.readTime}
			defer context.AfterFunc(ctx, func() { // nothing more is read, and a reply is not waited for
				_ = c.SetReadDeadline(time.Unix(1, 0))
				out.end()
			})()
			if stop, _ := serve(ctx, c, out, n); stop { // who hangs up is not answered
				once.Do(func() { stopped = true })
				cancel()
			}
		})
	}
	s.ended.Wait()
	_ = s.listener.Close()
	return stopped
}

// Ask has the node at a socket obey one request, to which it adds the id, and
// returns the reply as a line. The error matches ErrNoNode when nobody answers
// there.
func Ask(ctx context.Context, path string, request map[string]any) ([]byte, error) {
	request["id"] = 1
	line, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoNode, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	if _, err := c.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoNode, err)
	}
	reply, err := bufio.NewReader(c).ReadBytes('\n')
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the answer was not waited for: %w", ctx.Err())
	case errors.Is(err, io.EOF):
		return nil, errors.New("the node ended before it answered")
	case err != nil:
		return nil, err
	}
	return reply, nil
}
