package driver

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// templateRows are the templates and what runs them.
var templateRows = []struct{ name, interpreter, file string }{
	{"python", "python3", "driver.py"},
	{"javascript", "node", "driver.js"},
}

// unpacked writes a template to a file and returns the command line that runs
// it, and the directory where it makes its data.
func unpacked(t *testing.T, name, program, file string) (command, temp string) {
	t.Helper()
	source, err := Template(name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s '%s'", interpreter(t, program), path), t.TempDir()
}

// nodeEnv makes the templates start the test binary as their node.
func nodeEnv(temp, fault string) []string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return []string{"TMPDIR=" + temp, "SUPERSCALAR=" + path, "FAKE_NODE=" + fault, "SUPERSCALAR_NODE_ARGS= abc  def"}
}

func TestTemplatesAreShort(t *testing.T) {
	if got := fmt.Sprint(Templates()); got != "[python javascript]" {
		t.Errorf("templates: %s", got)
	}
	for _, name := range Templates() {
		source, err := Template(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(source, "\n"); n > 100 || n < 50 {
			t.Errorf("%s has %d lines", name, n)
		}
		for i, line := range strings.Split(source, "\n") {
			if len(line) > 120 {
				t.Errorf("%s:%d has %d bytes", name, i+1, len(line))
			}
		}
		if strings.Count(source, "ADAPT") < 3 {
			t.Errorf("%s does not mark what to adapt", name)
		}
	}
	_, err := Template("cobol")
	checkError(t, err, ErrNoTemplate, "python and javascript", `"cobol"`)
}

func TestTemplatesPassTheDoctor(t *testing.T) {
	for _, row := range templateRows {
		t.Run(row.name, func(t *testing.T) {
			command, temp := unpacked(t, row.name, row.interpreter, row.file)
			out, err := examine(t, command, Options{Env: nodeEnv(temp, "")}, Hooks{Probe: greet, Peer: newFakePeer})
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			// abc: the node gets its extra arguments
			checkOutput(t, out, "eeabc at 127.0.0.1:", "fake/1 pid=", "lists the suite's peer", "takes its node along")
			checkEmpty(t, temp)
		})
	}
}

func TestTemplatesRefuse(t *testing.T) {
	for _, row := range templateRows {
		t.Run(row.name, func(t *testing.T) {
			command, temp := unpacked(t, row.name, row.interpreter, row.file)
			client, err := Spawn(longContext(t), command, Options{Env: nodeEnv(temp, "")})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			raw := func(line string) error {
				_, err := client.exchange(longContext(t), line, func(id uint64) ([]byte, *uint64, error) {
					if !strings.Contains(line, "ID") {
						return []byte(line), nil, nil
					}
					return []byte(strings.Replace(line, "ID", fmt.Sprint(id), 1)), &id, nil
				})
				return err
			}
			before := []struct {
				line string
				want error
			}{
				{`{`, ErrBadRequest}, {`[]`, ErrBadRequest}, {`null`, ErrBadRequest}, {`7`, ErrBadRequest}, {``, ErrBadRequest},
				{"\xff\xfe", ErrBadRequest}, {`{"cmd":"status"}`, ErrBadRequest}, {`{"id":"1","cmd":"status"}`, ErrBadRequest},
				{`{"id":ID}`, ErrBadRequest}, {`{"id":ID,"cmd":["start"]}`, ErrBadRequest},
				{`{"id":ID,"cmd":"constructor"}`, ErrUnknownCommand}, {`{"id":ID,"cmd":"__class__"}`, ErrUnknownCommand},
				{`{"id":ID,"cmd":"status"}`, ErrFailed}, {`{"id":ID,"cmd":"stop"}`, ErrFailed}, {`{"id":ID,"cmd":"stop","restart":true}`, ErrFailed},
				{`{"id":ID,"cmd":"stop","restart":1}`, ErrBadRequest}, {`{"id":ID,"cmd":"start"}`, ErrBadRequest},
				{`{"id":ID,"cmd":"start","role":"lsp","network":"mainnet"}`, ErrBadRequest}, {`{"id":ID,"cmd":"start","role":"carol","network":"regtest"}`, ErrBadRequest},
				{`{"id":ID,"cmd":"connect","peer":"x"}`, ErrBadRequest}, {`{"id":ID,"cmd":"connect","peer":"` + nobody + `@h"}`, ErrBadRequest},
				{`{"id":ID,"cmd":"buy","peer":"` + nobody + `","amount_sat":0}`, ErrBadRequest}, {`{"id":ID,"cmd":"buy","peer":"` + nobody + `","amount_sat":"1"}`, ErrBadRequest},
				{`{"id":ID,"cmd":"buy","peer":"` + nobody + `","amount_sat":true}`, ErrBadRequest}, {`{"id":ID,"cmd":"buy","peer":"` + nobody + `","amount_sat":1.5}`, ErrBadRequest},
				{`{"id":ID,"cmd":"invoice","amount_msat":1}`, ErrUnsupported}, {`{"id":ID,"cmd":"pay","bolt11":"x"}`, ErrUnsupported}, {`{"id":ID,"cmd":"leave","mode":"unilateral"}`, ErrUnsupported},
				{`{"id":ID,"cmd":"invoice"}`, ErrBadRequest}, {`{"id":ID,"cmd":"pay"}`, ErrBadRequest}, {`{"id":ID,"cmd":"leave","mode":"x"}`, ErrBadRequest},
			}
			for _, b := range before {
				if err := raw(b.line); err == nil {
					t.Errorf("%s: accepted", b.line)
				} else {
					checkError(t, err, b.want)
				}
			}
			ctx := longContext(t)
			if _, err := client.Start(ctx, RoleLSP, "00"); err != nil {
				t.Fatal(err)
			}
			_, err = client.Start(ctx, RoleLSP, "")
			checkError(t, err, ErrFailed, "a node runs")
			checkError(t, client.Buy(ctx, nobody, 1), ErrFailed, "no such peer") // the node's own words
			if err := client.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			checkEmpty(t, temp)
		})
	}
}

func TestTemplatesWithABrokenNode(t *testing.T) {
	for _, row := range templateRows {
		for _, fault := range []struct{ name, says string }{
			{"not-ready", "ready"},
			{"missing", ""},
		} {
			t.Run(row.name+"/"+fault.name, func(t *testing.T) {
				command, temp := unpacked(t, row.name, row.interpreter, row.file)
				env := nodeEnv(temp, fault.name)
				if fault.name == "missing" {
					env = append(env, "SUPERSCALAR=/nonexistent/superscalar")
				}
				client, err := Spawn(longContext(t), command, Options{Env: env})
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				for range 2 { // the second start shows that the first left nothing
					_, err = client.Start(longContext(t), RoleClient, "")
					checkError(t, err, ErrFailed, fault.says)
				}
				checkEmpty(t, temp)
			})
		}
		t.Run(row.name+"/dies", func(t *testing.T) {
			command, temp := unpacked(t, row.name, row.interpreter, row.file)
			client, err := Spawn(longContext(t), command, Options{Env: nodeEnv(temp, "die-on-buy")})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			ctx := longContext(t)
			first, err := client.Start(ctx, RoleClient, "")
			if err != nil {
				t.Fatal(err)
			}
			checkError(t, client.Buy(ctx, nobody, 1), ErrFailed)
			_, err = client.Status(ctx)
			checkError(t, err, ErrFailed)
			again, err := client.Restart(ctx)
			if err != nil || again.NodeID != first.NodeID {
				t.Fatalf("restart after the death of the node: %v %v", again, err)
			}
			if err := client.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			checkEmpty(t, temp)
		})
	}
}

// A node that hangs in a command does not keep its driver from going.
func TestTemplatesEndInMidCommand(t *testing.T) {
	for _, row := range templateRows {
		t.Run(row.name, func(t *testing.T) {
			command, temp := unpacked(t, row.name, row.interpreter, row.file)
			client, err := Spawn(longContext(t), command, Options{Env: nodeEnv(temp, "hang-on-buy"), Grace: patience})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			node, err := client.Start(longContext(t), RoleClient, "")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			checkError(t, client.Buy(ctx, nobody, 1), ErrSilent)
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			checkGone(t, node)
			checkEmpty(t, temp)
		})
	}
}

// Over TCP a driver belongs to somebody else: the end of the connection alone
// makes it clean up and exit.
func TestTemplatesDialBack(t *testing.T) {
	for _, row := range templateRows {
		t.Run(row.name, func(t *testing.T) {
			command, temp := unpacked(t, row.name, row.interpreter, row.file)
			argv, err := Split(command)
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			var cmd *exec.Cmd
			client, err := ListenDialBack(longContext(t), "127.0.0.1:0", Options{Listening: func(address string) {
				cmd = exec.CommandContext(longContext(t), argv[0], append(argv[1:], address)...)
				cmd.Env = append(os.Environ(), nodeEnv(temp, "")...)
				cmd.Stderr = &stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			node, err := client.Start(longContext(t), RoleLSP, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("the driver ended with %v: %s", err, &stderr)
			}
			checkGone(t, node)
			checkEmpty(t, temp)
		})
	}
}

// checkGone wants the fake node's process collected and its port closed.
func checkGone(t *testing.T, node Node) {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimPrefix(node.Version, "fake/1 pid="))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("the node's process is still there: %v", err)
	}
	if conn, err := net.Dial("tcp", node.Address); err == nil {
		_ = conn.Close()
		t.Errorf("the node still listens at %s", node.Address)
	}
}

// checkEmpty wants no data directory left behind.
func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("left behind: %s", entry.Name())
	}
}
