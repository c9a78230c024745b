package lnd

import (
	"bytes"
	"context"
	_ "embed" // the module files below are data of this package
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// The versions that Build builds. They are pinned in the embedded module
// files too; a test compares the two.
const (
	// LNDVersion is the module version of lnd.
	LNDVersion = "v0.21.2-beta"
	// BTCDVersion is the module version of btcd. It is not the one that lnd
	// links as a library: that one is older and cannot share a module with it.
	BTCDVersion = "v0.26.2"
)

// ErrNoGo says that there is no Go toolchain to build with.
var ErrNoGo = errors.New("lnd: the go command is not on PATH: install Go to build lnd and btcd")

//go:embed lnd.mod
var lndMod []byte

//go:embed lnd.sum
var lndSum []byte

//go:embed btcd.mod
var btcdMod []byte

//go:embed btcd.sum
var btcdSum []byte

// Binaries are the programs that a Node needs, as absolute paths.
type Binaries struct {
	LND   string // the Lightning node
	Lncli string // its command line client
	BTCD  string // the chain server
}

// module is one nested module: what goes into its go.mod and go.sum and the
// commands to build from it.
type module struct {
	name     string
	version  string
	mod, sum []byte
	commands []string
	tags     string // of the build, comma-separated
	hint     string // how long the first build takes
}

func modules() []module {
	return []module{{
		name: "btcd", version: BTCDVersion, mod: btcdMod, sum: btcdSum,
		commands: []string{"github.com/btcsuite/btcd"},
		hint:     "under a minute the first time",
	}, {
		name: "lnd", version: LNDVersion, mod: lndMod, sum: lndSum,
		commands: []string{
			"github.com/lightningnetwork/lnd/cmd/lnd",
			"github.com/lightningnetwork/lnd/cmd/lncli",
		},
		tags: "invoicesrpc", // hold invoices
		hint: "4 to 6 minutes the first time",
	}}
}

// Build compiles lnd, lncli and btcd into dir/bin, which it creates, and
// writes lines of progress to log (nil is allowed and means none).
//
// It needs only the Go toolchain, and the module proxy the first time. Go's
// build cache makes the next time a matter of linking, and a dir that already
// holds the programs costs about a second. ErrNoGo is returned when there is
// no toolchain; any other failure carries the last lines of the go command.
func Build(ctx context.Context, dir string, log io.Writer) (Binaries, error) {
	if log == nil {
		log = io.Discard
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		return Binaries{}, ErrNoGo
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return Binaries{}, fmt.Errorf("lnd: build folder: %w", err)
	}
	bin := filepath.Join(dir, "bin")
	for _, m := range modules() {
		if err := m.build(ctx, goTool, filepath.Join(dir, m.name), bin, log); err != nil {
			return Binaries{}, err
		}
	}
	return Binaries{
		LND:   program(bin, "lnd"),
		Lncli: program(bin, "lncli"),
		BTCD:  program(bin, "btcd"),
	}, nil
}

// build writes the module into dir and compiles its commands into bin.
func (m module) build(ctx context.Context, goTool, dir, bin string, log io.Writer) error {
	for _, d := range []string{dir, bin} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("lnd: build folder: %w", err)
		}
	}
	for name, data := range map[string][]byte{"go.mod": m.mod, "go.sum": m.sum} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("lnd: module of %s: %w", m.name, err)
		}
	}
	fmt.Fprintf(log, "building %s %s (%s)\n", m.name, m.version, m.hint)

	args := []string{"build", "-mod=readonly", "-buildvcs=false", "-v", "-tags=" + m.tags, "-o", bin + string(filepath.Separator)}
	cmd := exec.CommandContext(ctx, goTool, slices.Concat(args, m.commands)...)
	cmd.Dir = dir
	// The caller's flags and workspace are about the caller's module.
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GO111MODULE=on")
	steps := &buildLog{name: m.name, out: log}
	cmd.Stdout, cmd.Stderr = steps, steps
	if err := run(cmd); err != nil {
		return fmt.Errorf("lnd: building %s %s: %w: %s", m.name, m.version, err, strings.Join(steps.last, " | "))
	}
	fmt.Fprintf(log, "built %s %s\n", m.name, m.version)
	return nil
}

// program is the path of a built command, with the suffix the system wants.
func program(dir, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}

// buildLog reads what `go build -v` prints (a line for each module fetched
// and each package compiled, none for what is cached), reports every
// buildLogStep lines and keeps the last few for an error.
type buildLog struct {
	name  string
	out   io.Writer
	part  []byte // a line that has not ended yet
	lines int
	last  []string
}

const buildLogStep = 100

// Write never fails: a lost progress line is no reason to lose a build.
func (b *buildLog) Write(p []byte) (int, error) {
	b.part = append(b.part, p...)
	for {
		line, rest, found := bytes.Cut(b.part, []byte("\n"))
		if !found {
			return len(p), nil
		}
		b.part = rest
		b.line(string(line))
	}
}

func (b *buildLog) line(text string) {
	b.lines++
	b.last = append(b.last, strings.TrimSpace(text))
	if len(b.last) > tailLines {
		b.last = b.last[1:]
	}
	if b.lines%buildLogStep == 0 {
		fmt.Fprintf(b.out, "  %s: %d steps, now %s\n", b.name, b.lines, b.last[len(b.last)-1])
	}
}
