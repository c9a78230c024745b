package cli

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"superscalar/harness/report"
)

// asProgram in the environment makes the test binary the program itself.
const asProgram = "SUPERSCALAR_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// longest is how long a test waits for what must happen; only failures last
// this long.
const longest = 30 * time.Second

// result is what a run of the program left.
type result struct {
	code        int
	out, errOut string
}

// run runs the program in this process.
func run(stdin string, args ...string) result {
	var out, errOut bytes.Buffer
	code := Main(args, strings.NewReader(stdin), &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

// checkError checks that a run failed with a code and one good line.
func (r result) checkError(t *testing.T, code int, says string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	if !strings.HasPrefix(r.errOut, "superscalar: ") || strings.Count(r.errOut, "\n") != 1 || !strings.HasSuffix(r.errOut, "\n") {
		t.Errorf("not one line on the error output: %q", r.errOut)
	}
	if !strings.Contains(r.errOut, says) {
		t.Errorf("error output %q, want %q in it", r.errOut, says)
	}
}

// checkOK checks that a run went well and printed each of says.
func (r result) checkOK(t *testing.T, says ...string) {
	t.Helper()
	if r.code != ExitOK || r.errOut != "" {
		t.Errorf("exit code %d, error output %q", r.code, r.errOut)
	}
	for _, s := range says {
		if !strings.Contains(r.out, s) {
			t.Errorf("%q is not in the output:\n%s", s, r.out)
		}
	}
}

// tree lists everything below dir, with the content of files.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		out[p] = d.Type().String()
		if d.Type().IsRegular() {
			b, err := os.ReadFile(p)
			out[p] += string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// workplace makes a temporary folder the current one, with things in it to
// point commands at.
func workplace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for _, d := range []string{"empty", "broken", "repository/wire/rule", "nospec"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	spec := readFile(t, specPath(t))
	for name, content := range map[string]string{
		"file":                "text\n",
		"broken/report.json":  "{}",
		"spec.md":             spec,
		"repository/SPEC.md":  spec,
		"malformed.md":        "Version: 0.1\n- **TRN-001** (both) A node is kind.\n",
		"nospec/registry.txt": "",
	} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, folder := range map[string]fs.FS{"good": goodReport(), "bad": badReport()} {
		if err := os.CopyFS(name, folder); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sourceFolder is where the tests began; t.Chdir moves them.
var sourceFolder, _ = os.Getwd()

func specPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(sourceFolder, "..", "..", "SPEC.md")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The reports of the workplace, written once: report.Write waits for the disk.
var (
	goodReport = sync.OnceValue(func() fs.FS { return written(report.Passed) })
	badReport  = sync.OnceValue(func() fs.FS { return written(report.Failed) })
)

// written returns the files of a report of one case in a state.
func written(state report.State) fs.FS {
	c := report.Case{
		Name: "trn/init/first/lsp", Summary: "The first message is init.", Rules: []string{"TRN-050"}, Section: "2.4 The `init` message",
		Role: "lsp", Tier: "wire", Profile: "core", State: state, Replay: "superscalar conform --focus trn/init/first/lsp",
	}
	if state == report.Failed {
		c.Failures = []report.Failure{{Rule: "TRN-050", Quote: "A node MUST.", Section: c.Section, Message: "no init came", PlantedOffset: -1,
			Expected: []string{"init"}, Received: "nothing", Position: "first message", Blame: "the target"}}
	}
	r := &report.Report{
		Suite:   report.Suite{Name: "superscalar", Version: "0.1", Commit: "unknown", SpecVersion: "0.1"},
		Target:  report.Target{Kind: "refnode", Role: "lsp"},
		Options: report.Options{Tier: "wire", Profile: "core", Deadline: "10s", Command: "superscalar conform"},
		Cases:   []report.Case{c},
	}
	report.Finish(r)
	dir, err := os.MkdirTemp("", "report")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := report.Write(dir, r); err != nil {
		panic(err)
	}
	files := fstest.MapFS{}
	for _, name := range []string{"report.json", "junit.xml", "index.html"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			panic(err)
		}
		files[name] = &fstest.MapFile{Data: b, Mode: 0o644}
	}
	return files
}
