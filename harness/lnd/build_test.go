package lnd

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
)

// These read the plain facts of a go.mod: its required versions, its replaces
// and its tools. The go command checks the rest at build time.
var (
	requireLine = regexp.MustCompile(`(?m)^(?:require )?\s*(\S+/\S+) (v\S+)`)
	replaceLine = regexp.MustCompile(`(?m)^replace (\S+) => (\S+) (v\S+)$`)
	toolLine    = regexp.MustCompile(`(?m)^tool (\S+)$`)
)

func TestEmbeddedModules(t *testing.T) {
	path := map[string]string{
		"lnd":  "github.com/lightningnetwork/lnd",
		"btcd": "github.com/btcsuite/btcd",
	}
	for _, m := range modules() {
		t.Run(m.name, func(t *testing.T) {
			mod := string(m.mod)
			versions := make(map[string]string)
			for _, f := range requireLine.FindAllStringSubmatch(mod, -1) {
				versions[f[1]] = f[2]
			}
			if got := versions[path[m.name]]; got != m.version {
				t.Errorf("pins %q, want %q", got, m.version)
			}
			for _, f := range replaceLine.FindAllStringSubmatch(mod, -1) {
				if _, required := versions[f[1]]; required {
					delete(versions, f[1])
					versions[f[2]] = f[3]
				}
			}
			for name, version := range versions {
				// Every module needs at least the hash of its go.mod.
				if !strings.Contains(string(m.sum), name+" "+version+"/go.mod h1:") {
					t.Errorf("sum of %s %s is missing", name, version)
				}
			}
			var tools []string
			for _, f := range toolLine.FindAllStringSubmatch(mod, -1) {
				tools = append(tools, f[1])
			}
			for _, c := range m.commands {
				if !strings.Contains(strings.Join(tools, " ")+" ", c+" ") {
					t.Errorf("command %s is no tool of the module %v", c, tools)
				}
			}
		})
	}
}

// The replaces of lnd's own go.mod do not count when lnd is a dependency, so
// its nested module has to repeat them.
func TestLNDReplaces(t *testing.T) {
	got := make(map[string]string)
	for _, f := range replaceLine.FindAllStringSubmatch(string(lndMod), -1) {
		got[f[1]] = f[2] + " " + f[3]
	}
	want := map[string]string{
		"google.golang.org/protobuf": "github.com/lightninglabs/protobuf-go-hex-display v1.33.0-hex-display",
		"github.com/gogo/protobuf":   "github.com/gogo/protobuf v1.3.2",
		"github.com/ulikunitz/xz":    "github.com/ulikunitz/xz v0.5.11",
	}
	for module, by := range want {
		if got[module] != by {
			t.Errorf("%s is replaced by %q, want %q", module, got[module], by)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d replaces, want %d", len(got), len(want))
	}
}

func TestBuildWithoutGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Build(context.Background(), t.TempDir(), nil)
	if !errors.Is(err, ErrNoGo) {
		t.Fatalf("got %v, want ErrNoGo", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Fatalf("more than one line: %q", err)
	}
}

func TestBuildLog(t *testing.T) {
	var out strings.Builder
	log := &buildLog{name: "lnd", out: &out}
	for i := range 2*buildLogStep + 50 {
		// Split anywhere: the go command does not write line by line.
		for _, part := range []string{"pack", "age/", string(rune('a' + i%26)), "\n"} {
			if n, err := log.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatalf("wrote %d, %v", n, err)
			}
		}
	}
	if got := strings.Count(out.String(), "\n"); got != 2 {
		t.Errorf("%d progress lines, want 2: %q", got, out.String())
	}
	if !strings.Contains(out.String(), "lnd: 200 steps, now package/") {
		t.Errorf("progress says %q", out.String())
	}
	if len(log.last) != tailLines || log.last[tailLines-1] != "package/"+string(rune('a'+249%26)) {
		t.Errorf("last lines are %q", log.last)
	}
}
