package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"superscalar/wire/rule"
)

// sample is a registry in which every check and level occurs.
func sample() rule.Registry {
	r := rule.Registry{SpecVersion: "0.1"}
	for _, q := range []struct {
		id    rule.ID
		level rule.Level
		check rule.Check
	}{
		{"AAA-001", rule.Must, rule.ByCase}, {"AAA-002", rule.MustNot, rule.ByVector}, {"AAA-003", rule.Should, rule.Untestable},
		{"BBB-001", rule.Must, rule.Planned}, {"BBB-002", rule.ShouldNot, rule.ByCase},
	} {
		r.Requirements = append(r.Requirements, rule.Requirement{ID: q.id, Level: q.level, Check: q.check, Who: "both"})
	}
	return r
}

func TestUncovered(t *testing.T) {
	good := []claim{
		{kindCase, "one", []rule.ID{"AAA-001"}}, {kindVector, "two", []rule.ID{"AAA-002"}},
		{kindCase, "three", []rule.ID{"BBB-002", "BBB-001"}},
	}
	for _, row := range []struct {
		name   string
		claims []claim
		want   []string
	}{
		{"all is well", good, nil},
		{"no case", good[1:], []string{"AAA-001 is checked by a case, but no case names it"}},
		{"no vector", []claim{good[0], good[2]}, []string{"AAA-002 is checked by a vector, but no vector names it"}},
		{"a vector is no case", append(good[1:], claim{kindVector, "four", []rule.ID{"AAA-001"}}), []string{"AAA-001 is checked by a case, but no case names it"}},
		{"unknown id", append(good, claim{kindCase, "four", []rule.ID{"AAA-001", "CCC-001"}}), []string{"case four names CCC-001, which is not in SPEC.md"}},
		{"only an unknown id", append(good, claim{kindVector, "four", []rule.ID{"CCC-001"}}), []string{"vector four names CCC-001, which is not in SPEC.md"}},
		{"only planned and untestable", append(good, claim{kindCase, "four", []rule.ID{"AAA-003", "BBB-001"}}), []string{"case four decides no requirement: it names none that is checked by a case or a vector"}},
		{"a vector of a planned rule", append(good, claim{kindVector, "four", []rule.ID{"BBB-001"}}), nil},
		{"no id", append(good, claim{kindCase, "four", nil}), []string{"case four decides no requirement: it names none that is checked by a case or a vector"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, uncovered(sample(), row.claims)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDifferences(t *testing.T) {
	const remedy = "; generate the registry again with 'superscalar spec --write'"
	for _, row := range []struct {
		name   string
		change func(*rule.Registry)
		want   []string
	}{
		{"none", func(*rule.Registry) {}, nil},
		{"version", func(r *rule.Registry) { r.SpecVersion = "0.2" }, []string{"S: it is version 0.2, the registry 0.1"}},
		{"new", func(r *rule.Registry) {
			r.Requirements = append(r.Requirements, rule.Requirement{ID: "CCC-001"})
		}, []string{"S: CCC-001 is not in the registry"}},
		{"gone", func(r *rule.Registry) { r.Requirements = r.Requirements[1:] }, []string{"S: AAA-001 of the registry is not there"}},
		{"text", func(r *rule.Registry) { r.Requirements[0].Text = "x" }, []string{"S: AAA-001 stands there with another text than in the registry"}},
		{"everything", func(r *rule.Registry) {
			r.Requirements[1] = rule.Requirement{ID: "AAA-002", Section: "x", Source: "x"}
		}, []string{"S: AAA-002 stands there with another text and side and section and source and check than in the registry"}},
		{"order", func(r *rule.Registry) { slices.Reverse(r.Requirements) }, []string{"S: its requirements stand in another order than in the registry"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := sample()
			row.change(&text)
			for i := range row.want {
				row.want[i] += remedy
			}
			if diff := cmp.Diff(row.want, differences("S", text, sample())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCountLines(t *testing.T) {
	want := []string{
		"3 AAA requirements: 1 case, 1 vector, 1 untestable, 0 planned",
		"2 BBB requirements: 1 case, 0 vector, 0 untestable, 1 planned",
		"3 MUSTs: 1 case, 1 vector, 0 untestable, 1 planned",
		"2 SHOULDs: 1 case, 0 vector, 1 untestable, 0 planned",
	}
	if diff := cmp.Diff(want, countLines(sample())); diff != "" {
		t.Error(diff)
	}
}

// This repository passes its own check, and a changed text does not.
func TestSpecCheck(t *testing.T) {
	good := run("", "spec", "--check", "--spec-file", specPath(t))
	good.checkOK(t)
	if n := strings.Count(good.out, "\n"); n != len(areas(rule.Embedded()))+2 {
		t.Errorf("%d lines:\n%s", n, good.out)
	}
	dir := workplace(t)
	changed := strings.Replace(readFile(t, "spec.md"), "MUST close the connection without", "MUST end the connection without", 2)
	if err := os.WriteFile(filepath.Join(dir, "SPEC.md"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	bad := run("", "spec", "--check") // SPEC.md in the current folder is taken
	if bad.code != ExitFailed || bad.out != good.out {
		t.Errorf("exit code %d, output\n%s", bad.code, bad.out)
	}
	want := ""
	for _, id := range []string{"TRN-001", "TRN-002"} {
		want += "superscalar: SPEC.md: " + id + " stands there with another text than in the registry; generate the registry again with 'superscalar spec --write'\n"
	}
	if diff := cmp.Diff(want, bad.errOut); diff != "" {
		t.Error(diff)
	}
}

func TestSpecWrite(t *testing.T) {
	workplace(t)
	run("", "spec", "--write", "repository").checkOK(t)
	for _, name := range []string{"registry.json", "ids.go"} {
		got := readFile(t, filepath.Join("repository/wire/rule", name))
		if want := readFile(t, filepath.Join(sourceFolder, "../../wire/rule", name)); got != want {
			t.Errorf("%s differs from the one in this repository", name)
		}
	}
	if n := len(tree(t, "repository/wire/rule")); n != 3 {
		t.Errorf("%d entries, want the folder and two files", n)
	}
}

// A text that cannot be read changes neither file, a folder that is not there
// makes none.
func TestSpecWriteFails(t *testing.T) {
	workplace(t)
	run("", "spec", "--write", "repository").checkOK(t)
	if err := os.Rename("malformed.md", "repository/SPEC.md"); err != nil {
		t.Fatal(err)
	}
	before := tree(t, ".")
	run("", "spec", "--write", "repository").checkError(t, ExitFailed, "a requirement reads")
	if err := os.Rename("spec.md", "nospec/SPEC.md"); err != nil {
		t.Fatal(err)
	}
	before["nospec/SPEC.md"] = before["spec.md"]
	delete(before, "spec.md")
	run("", "spec", "--write", "nospec").checkError(t, ExitUsage, "name the folder of the repository with --write")
	if diff := cmp.Diff(before, tree(t, ".")); diff != "" {
		t.Error(diff)
	}
}

func TestVectorsWrite(t *testing.T) {
	for _, command := range []string{"generate", "export"} {
		t.Run(command, func(t *testing.T) {
			workplace(t)
			run("", "vectors", command, "new/vectors").checkOK(t)
			for _, name := range []string{"trn/bigsize.json", "pcf/message.json", "schema/tlv.json"} {
				got := readFile(t, filepath.Join("new/vectors", name))
				if want := readFile(t, filepath.Join(sourceFolder, "../../vectors", name)); got != want {
					t.Errorf("%s differs from the one in this repository", name)
				}
			}
			_, err := os.Stat("new/vectors/LICENSE")
			if (err == nil) != (command == "export") {
				t.Errorf("LICENSE: %v", err)
			}
		})
	}
}
