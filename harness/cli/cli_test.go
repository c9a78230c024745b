package cli

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"superscalar/refnode/datadir"
	"superscalar/wire/rule"
)

// Every bad input has its exit code and one line that says what to do, and
// changes nothing on disk.
func TestRefusals(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()
	for _, row := range []struct {
		name, args string
		code       int
		says       string
	}{
		{"nothing", "", 2, "no command given; see 'superscalar --help'"},
		{"unknown command", "dance", 2, `unknown command "dance"; see 'superscalar --help'`},
		{"unknown flag", "--dance", 2, "unknown flag: --dance; see 'superscalar --help'"},
		{"help on nothing", "help dance", 2, `there is no command "dance"`},
		{"help on too much", "help spec dance", 2, `there is no command "spec dance"`},

		{"spec argument", "spec TRN-001", 2, `one argument too many: "TRN-001"; see 'superscalar spec --help'`},
		{"spec flag", "spec --dance", 2, "unknown flag: --dance; see 'superscalar spec --help'"},
		{"spec area", "spec --area XYZ", 2, `no area "XYZ", there is TRN and PCF`},
		{"spec empty area", "spec --area=", 2, `no area ""`},
		{"spec id", "spec --id TRN-999", 2, `no requirement "TRN-999"`},
		{"spec two jobs", "spec --check --id TRN-001", 2, "stand alone"},
		{"spec job and area", "spec --check --area TRN", 2, "stand alone"},
		{"spec write and json", "spec --json --write .", 2, "stand alone"},
		{"spec file without check", "spec --spec-file spec.md", 2, "--spec-file belongs to --check"},
		{"spec file missing", "spec --check --spec-file nowhere.md", 2, "open nowhere.md: no such file"},
		{"spec file malformed", "spec --check --spec-file malformed.md", 1, "malformed.md: SPEC.md:2: a requirement reads"},
		{"spec write nowhere", "spec --write nowhere", 2, "nowhere/SPEC.md"},
		{"spec write beside a file", "spec --write file", 2, "file/SPEC.md"},
		{"spec write without spec", "spec --write nospec", 2, "nospec/SPEC.md"},

		{"vectors", "vectors", 2, "no command given; see 'superscalar vectors --help'"},
		{"vectors unknown", "vectors dance", 2, `unknown command "dance"; see 'superscalar vectors --help'`},
		{"vectors list argument", "vectors list x", 2, "one argument too many"},
		{"vectors verify flag", "vectors verify --fast", 2, "unknown flag: --fast; see 'superscalar vectors verify --help'"},
		{"vectors generate nothing", "vectors generate", 2, "DIR is missing; see 'superscalar vectors generate --help'"},
		{"vectors generate into a file", "vectors generate file", 2, "name another folder"},
		{"vectors export nothing", "vectors export", 2, "DIR is missing"},
		{"vectors export into a file", "vectors export file/x", 2, "name another folder"},
		{"vectors export twice", "vectors export a b", 2, `one argument too many: "b"`},

		{"decode nothing", "decode", 2, "HEX is missing"},
		{"decode empty input", "decode -", 2, "HEX is empty"},
		{"decode no hex", "decode 00zz", 2, "'z' is no hexadecimal digit"},
		{"decode half a byte", "decode 001", 2, "an odd number of hexadecimal digits: 3"},
		{"decode compat payload", "decode --compat --payload 0000", 2, "--compat is about the envelope"},
		{"decode short", "decode 00", 1, "the message is malformed: message: type at byte 0: truncated (message has no type: fewer than 2 bytes) (TRN-023)"},
		{"decode malformed", "decode 8020", 1, "the message is malformed: factory_message: factory_submessage_id at byte 2: truncated (2 bytes wanted, 0 left) (PCF-010)"},
		{"decode malformed compat", "decode --compat 80e9", 1, "(PCF-010)"},
		{"decode malformed payload", "decode --payload 00", 1, "(PCF-041)"},

		{"report", "report", 2, "no command given"},
		{"report check nothing", "report check", 2, "DIR is missing"},
		{"report check nowhere", "report check nowhere", 2, "no report at nowhere"},
		{"report check empty", "report check empty", 2, "no report at empty"},
		{"report check broken", "report check broken", 1, "report broken: "},
		{"report diff one", "report diff good", 2, "AFTER is missing"},
		{"report diff nowhere", "report diff good nowhere", 2, "no report at nowhere"},
		{"report diff broken", "report diff broken good", 2, "broken: not a report"},
		{"report diff regression", "report diff good bad", 1, "bad is a regression from good"},
		{"report show nowhere", "report show nowhere", 2, "no report at nowhere"},
		{"report show broken", "report show broken", 2, "broken: not a report"},
		{"report show a file", "report show file", 2, "file: not a report"},

		{"driver", "driver", 2, "no command given"},
		{"template nothing", "driver template", 2, "python|javascript is missing"},
		{"template unknown", "driver template cobol", 2, `"cobol", there is python and javascript; see 'superscalar driver template --help'`},
		{"schema argument", "driver schema x", 2, "one argument too many"},
		{"doctor nothing", "driver doctor", 2, "exec:COMMAND or tcp:HOST:PORT is missing"},
		{"doctor of something else", "driver doctor python3", 2, `"python3" is neither exec:COMMAND nor tcp:HOST:PORT`},
		{"doctor without command", "driver doctor exec:", 2, "it names no program"},
		{"doctor open quote", "driver doctor exec:'x", 2, "is never closed"},
		{"doctor role", "driver doctor --role carol exec:x", 2, `--role "carol" is neither lsp nor client`},
		{"doctor deadline", "driver doctor --deadline soon exec:x", 2, "invalid argument \"soon\""},
		{"doctor tcp address", "driver doctor tcp:127.0.0.1", 2, "is not HOST:PORT"},
		{"doctor tcp public", "driver doctor tcp:0.0.0.0:1", 2, "add --public"},
		{"doctor cannot spawn", "driver doctor exec:./nothing", 4, "driver cannot be started"},
		{"doctor nobody comes", "driver doctor --wait 10ms tcp:127.0.0.1:0", 4, "no driver dialled back"},
		{"doctor wrong driver", "driver doctor exec:true", 1, "begins with 'wrong'"},

		{"node", "node", 2, "no command given; see 'superscalar node --help'"},
		{"node unknown role", "node carol --datadir d", 2, "unknown flag: --datadir"},
		{"node argument", "node lsp x", 2, "one argument too many"},
		{"node no datadir", "node lsp", 2, "--datadir is missing; see 'superscalar node lsp --help'"},
		{"node no way to switch a rule off", "node lsp --datadir d --mutant TRN-001", 2, "unknown flag: --mutant"},
		{"node listen form", "node lsp --datadir d --listen 127.0.0.1", 2, `"127.0.0.1" is not HOST:PORT`},
		{"node listen port", "node lsp --datadir d --listen 127.0.0.1:65536", 2, "a port from 0 to 65535"},
		{"node listen service", "node lsp --datadir d --listen 127.0.0.1:http", 2, "a port from 0 to 65535"},
		{"node listen everywhere", "node lsp --datadir d --listen :9735", 2, "listen on 127.0.0.1, or add --public"},
		{"node listen everywhere, 6", "node lsp --datadir d --listen [::]:9735", 2, "add --public"},
		{"node listen elsewhere", "node lsp --datadir d --listen 10.0.0.1:9735", 2, "add --public"},
		{"node listen by name", "node lsp --datadir d --listen example.org:9735", 2, "add --public"},
		{"node port taken", "node lsp --datadir d/e/f --log log --listen " + port, 2, "choose another address with --listen"},
		{"node port taken, empty folder", "node client --datadir empty --json --listen " + port, 2, "address already in use"},
		{"node datadir is a file", "node lsp --datadir file --log log --listen 127.0.0.1:0", 2, "not a directory"},
		{"node datadir is used", "node lsp --datadir good --listen 127.0.0.1:0", 2, "node.json is missing"},
		{"node chain form", "node lsp --datadir d --chain 127.0.0.1", 2, `--chain "127.0.0.1" is not HOST:PORT with a port from 1 to 65535`},
		{"node chain port", "node lsp --datadir d --chain 127.0.0.1:0 --chain-cookie file", 2, "a port from 1 to 65535"},
		{"node chain elsewhere", "node lsp --datadir d --chain 10.0.0.1:18443 --chain-cookie file", 2, "is not on this machine"},
		{"node chain by name", "node lsp --datadir d --chain example.org:18443 --chain-cookie file", 2, "is not on this machine"},
		{"node chain empty", "node lsp --datadir d --chain=", 2, "--chain is empty"},
		{"node chain without cookie", "node lsp --datadir d --chain 127.0.0.1:18443", 2, "--chain needs --chain-cookie"},
		{"node lsp without chain", "node client --datadir d --lsp 02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619", 2, "--lsp without --chain"},
		{"node lsp form", "node client --datadir d --chain 127.0.0.1:18443 --chain-cookie file --lsp 02ee", 2, "--lsp \"02ee\""},
		{"node lsp of an lsp", "node lsp --datadir d --lsp 02ee", 2, "unknown flag: --lsp"},
		{"node cookie without chain", "node lsp --datadir d --chain-cookie file", 2, "--chain-cookie without --chain"},
		{"node birthday without chain", "node client --datadir d --chain-birthday 7", 2, "--chain-birthday without --chain"},
		{"node birthday form", "node lsp --datadir d --chain 127.0.0.1:18443 --chain-cookie file --chain-birthday -1", 2, "invalid argument"},
		{"node chain cookie missing", "node lsp --datadir d/e --log log --listen 127.0.0.1:0 --chain " + port + " --chain-cookie nowhere", 2, "read the cookie of the node"},
		{"node chain cookie broken", "node lsp --datadir d/e --log log --listen 127.0.0.1:0 --chain " + port + " --chain-cookie file", 2, "want user:password"},
		{"node log nowhere", "node lsp --datadir d --log nowhere/log --listen 127.0.0.1:0", 2, "--log: open nowhere/log"},
		{"node log is a folder", "node lsp --datadir d --log empty --listen 127.0.0.1:0", 2, "--log: open empty"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := workplace(t)
			before := tree(t, dir)
			run("", strings.Fields(row.args)...).checkError(t, row.code, row.says)
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("left behind:\n%s", diff)
			}
		})
	}
}

// A directory that is somebody's stays as it is when its node cannot start.
func TestRefusalsKeepANode(t *testing.T) {
	dir := workplace(t)
	lsp, err := datadir.Open("lsp", datadir.RoleLSP, datadir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, args, says string
		held             bool
	}{
		{"in use", "node lsp --datadir lsp --listen 127.0.0.1:0", "lsp: node directory is in use by process", true},
		{"other role", "node client --datadir lsp --listen 127.0.0.1:0", "node has another role", false},
		{"port taken", "node lsp --datadir lsp --listen ", "choose another address", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if !row.held {
				if err := lsp.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if strings.HasSuffix(row.args, " ") {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				row.args += l.Addr().String()
			}
			before := tree(t, dir)
			run("", strings.Fields(row.args)...).checkError(t, ExitUsage, row.says)
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("changed:\n%s", diff)
			}
		})
	}
}

func TestReads(t *testing.T) {
	for _, row := range []struct {
		name, args string
		says       []string
	}{
		{"version", "--version", []string{"superscalar version 0.3 (SPEC.md 0.3)\n"}},
		{"spec", "spec", []string{"TRN-001     MUST ", "receiver  case ", "\nPCF-151"}},
		{"spec area", "spec --area trn", []string{"TRN-083"}},
		{"spec id", "spec --id pcf-012", []string{"PCF-012  MUST, receiver\nA node that receives", "section  3.2 The envelope\n", "source   bLIP-56", "check    case\n", "\ncases    pcf/", "\nvectors  "}},
		{"spec id by vector", "spec --id TRN-030", []string{"check    vector\ncases    none\nvectors  "}},
		{"spec id untestable", "spec --id TRN-073", []string{"check    untestable: what a node writes", "cases    none\nvectors  none\n"}},
		{"spec json", "spec --json --area PCF", []string{`"id": "PCF-001"`}},
		{"spec check", "spec --check --spec-file spec.md", []string{" TRN requirements: ", " PCF requirements: ", " MUSTs: ", " SHOULDs: "}},
		{"spec check without text", "spec --check", []string{" MUSTs: "}},
		{"vectors list", "vectors list", []string{"trn/bigsize.json ", "TRN-030"}},
		{"vectors verify", "vectors verify", []string{" 0 do not match"}},
		{"report check", "report check good", []string{"ok: 1 cases, conformant\n"}},
		{"report check of a failure", "report check bad", []string{"ok: 1 cases, not-conformant\n"}},
		{"report diff", "report diff bad good", []string{"1 improvement", "No regression"}},
		{"report diff nothing", "report diff good good", []string{"No change"}},
		{"report show", "report show bad", []string{"TRN-050", "no init came"}},
		{"report show verbose", "report show good --verbose", []string{"trn/init/first/lsp"}},
		{"template", "driver template python", []string{"#!/usr/bin/env python3", "ADAPT"}},
		{"template js", "driver template javascript", []string{"#!/usr/bin/env node", "ADAPT"}},
		{"schema", "driver schema", []string{`"urn:superscalar:driver:1"`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := workplace(t)
			before := tree(t, dir)
			run("", strings.Fields(row.args)...).checkOK(t, row.says...)
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("left behind:\n%s", diff)
			}
		})
	}
}

// The help texts are the documentation: every command has one, with examples,
// and help says the same as --help.
func TestHelp(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		if c.Name() == "help" {
			return
		}
		t.Run(c.CommandPath(), func(t *testing.T) {
			for what, text := range map[string]string{"short text": c.Short, "long text": c.Long, "example": c.Example} {
				if text == "" {
					t.Errorf("no %s", what)
				}
			}
			for line := range strings.Lines(c.Example) {
				if !strings.Contains(line, "superscalar ") {
					t.Errorf("the example %q is about another program", line)
				}
			}
			if !strings.Contains(c.Example, c.CommandPath()) {
				t.Error("no example is about this command")
			}
			asked := run("", append(path, "--help")...)
			asked.checkOK(t, c.Long, "\nUsage:\n  "+c.CommandPath(), "\nExamples:\n")
			helped := run("", append([]string{"help"}, path...)...)
			if diff := cmp.Diff(asked, helped, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("--help and help differ:\n%s", diff)
			}
		})
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(env{}))
}

func TestExitCode(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
		code int
		line string
	}{
		{"none", nil, 0, ""},
		{"typed", exit(ExitUnreachable, "no %s", "way"), 4, "superscalar: no way\n"},
		{"silent", &ExitError{Code: ExitFailed}, 1, ""},
		{"wrapped", errors.Join(exit(ExitUsage, "x")), 2, "superscalar: x\n"},
		{"untyped", errors.New("broken"), 3, "superscalar: broken\n"},
		{"several lines", exit(ExitUsage, "a\n\tb\x1b[31m\u202ec"), 2, "superscalar: a b [31m c\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out strings.Builder
			if code := exitCode(row.err, &out); code != row.code || out.String() != row.line {
				t.Errorf("code %d, %q; want %d, %q", code, out.String(), row.code, row.line)
			}
		})
	}
}

func TestAPanicIsExitCode3(t *testing.T) {
	var errOut strings.Builder
	if code := Main([]string{"decode", "-"}, nil, &errOut, &errOut); code != ExitBroken {
		t.Errorf("exit code %d", code)
	}
	if !strings.HasPrefix(errOut.String(), "superscalar: internal error, please report it") {
		t.Errorf("error output %q", errOut.String())
	}
}

func TestSpecJSONIsTheRegistry(t *testing.T) {
	if got := run("", "spec", "--json"); got.out != string(rule.Embedded().JSON()) {
		t.Error("another registry is printed")
	}
}
