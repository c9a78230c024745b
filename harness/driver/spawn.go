package driver

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// pipes is the link to a spawned driver. Plain os.Pipe ends take deadlines
// and wake up when closed, which the pipes of os/exec hide.
type pipes struct {
	in     *os.File // to the driver's stdin
	out    *os.File // from its stdout
	stderr *os.File // from its stderr
}

func (p *pipes) Read(b []byte) (int, error)         { return p.out.Read(b) }
func (p *pipes) Write(b []byte) (int, error)        { return p.in.Write(b) }
func (p *pipes) SetWriteDeadline(t time.Time) error { return p.in.SetWriteDeadline(t) }

func (p *pipes) Close() error {
	_ = p.in.Close()
	return p.out.Close()
}

// Spawn starts the driver given as a command line (see Split; no shell looks
// at it) and does the handshake. The driver leads a process group of its own;
// on Linux it gets SIGTERM when the suite dies. ctx bounds the handshake
// alone; Close ends the process. Errors match ErrCommandLine, ErrSpawn, or are
// those of Handshake.
func Spawn(ctx context.Context, command string, opts Options) (*Client, error) {
	argv, err := Split(command)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = opts.Dir
	cmd.Env = append(os.Environ(), opts.Env...)
	ours, err := connectPipes(cmd)
	if err != nil {
		return nil, fmt.Errorf("driver: %w: %q: %w", ErrSpawn, command, err)
	}
	proc, err := startProcess(cmd)
	closeAll(cmd.Stdin.(*os.File), cmd.Stdout.(*os.File), cmd.Stderr.(*os.File))
	if err != nil {
		closeAll(ours.in, ours.out, ours.stderr)
		return nil, fmt.Errorf("driver: %w: %q: %w; to mend: give a program that exists and may be executed, as it would be typed without a shell", ErrSpawn, command, err)
	}
	return newClient(ours, proc, follow(ours.stderr), opts).greeted(ctx)
}

// connectPipes gives cmd its three streams and returns the other ends.
func connectPipes(cmd *exec.Cmd) (*pipes, error) {
	var files []*os.File
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(files...)
			return nil, err
		}
		files = append(files, r, w)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[3], files[5]
	return &pipes{in: files[1], out: files[2], stderr: files[4]}, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// ListenDialBack waits at hostport (port 0 takes a free one) for a driver to
// connect, takes the first connection, stops listening and does the handshake.
// ctx bounds the waiting and the handshake. The driver is somebody else's
// process: Close only hangs up, and the driver has to clean up by itself. The
// protocol is not authenticated, so hostport should be on 127.0.0.1. Errors
// match ErrNoDriver, or are those of Handshake.
func ListenDialBack(ctx context.Context, hostport string, opts Options) (*Client, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", hostport)
	if err != nil {
		return nil, fmt.Errorf("driver: %w: %w", ErrNoDriver, err)
	}
	defer listener.Close()
	if opts.Listening != nil {
		opts.Listening(listener.Addr().String())
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	conn, err := listener.Accept()
	if !stop() {
		if err == nil {
			_ = conn.Close()
		}
		return nil, fmt.Errorf("driver: %w: waited at %s: %w; to mend: start the driver with that address", ErrNoDriver, listener.Addr(), context.Cause(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("driver: %w: %w", ErrNoDriver, err)
	}
	return Attach(ctx, conn, opts)
}
