package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"superscalar/refnode/ledger"
	"superscalar/wire/rule"
)

// The test binary is also the process that is killed: these variables make it one.
const (
	childVariable = "SUPERSCALAR_TEST_STORE" // the directory
	limitVariable = "SUPERSCALAR_TEST_LIMIT" // largest file in bytes, "" for none
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		os.Exit(child(dir, os.Getenv(limitVariable)))
	}
	goleak.VerifyTestMain(m)
}

// child signs for ever and says what it signed, one number a line, when the store says that it is safe.
func child(dir, limit string) int {
	if limit != "" {
		bytes, err := strconv.ParseUint(limit, 10, 64)
		if err != nil {
			return 2
		}
		signal.Ignore(unix.SIGXFSZ)
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: bytes}); err != nil {
			return 2
		}
	}
	s, err := Open(dir)
	if err != nil {
		fmt.Println("open:", err)
		return 1
	}
	fmt.Println("open")
	for n := uint32(s.ledger.Len()); ; n++ {
		err := s.Update(func(tx *Tx) error {
			if err := tx.PutFactory(factory(1), fmt.Sprint(n), make([]byte, 500)); err != nil {
				return err
			}
			return tx.Sign(factory(1), []ledger.Entry{numbered(n, 1)})
		})
		if err != nil {
			before := s.ledger.Len()
			again := s.Put("b", "k", make([]byte, 1<<20))
			fmt.Printf("full=%v again=%v recorded=%d: %v\n", errors.Is(err, ErrFull), errors.Is(again, ErrFull), before, err)
			return 0
		}
		fmt.Println(n)
	}
}

// numbered is the transaction of a number; another hash is another one on its outpoint.
func numbered(n uint32, hash byte) ledger.Entry {
	e := sale(n, hash)
	binary.BigEndian.PutUint32(e.Sighash[4:], n)
	return e
}

func startChild(t *testing.T, dir, limit string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+dir, limitVariable+"="+limit)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "open" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the child says %q", lines.Text())
	}
	return cmd, lines
}

// TestKill kills a process that signs, at random moments, many times on one directory. What it said is signed is signed.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(3, 4))
	said := -1
	for round := range 40 {
		cmd, lines := startChild(t, dir, "")
		for range random.IntN(15) {
			if !lines.Scan() {
				break
			}
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Errorf("the child says %q", lines.Text())
			}
			said = n
		}
		must(t, cmd.Process.Kill()) // SIGKILL, wherever it is now
		for lines.Scan() {          // what it said before it died
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				said = n
			}
		}
		_ = cmd.Wait()

		s := mustOpen(t, dir)
		if s.RestoredAtOpen() {
			t.Fatalf("round %d: a crash is taken for a restore", round)
		}
		if recorded := s.ledger.Len(); recorded < said+1 {
			t.Fatalf("round %d: %d recorded, it said %d", round, recorded, said+1)
		}
		for n := range said + 1 {
			wantRefusal(t, s.Sign(factory(1), []ledger.Entry{numbered(uint32(n), 2)}), rule.PS011)
			if data, found, err := s.FactoryPart(factory(1), fmt.Sprint(n)); len(data) != 500 || !found || err != nil {
				t.Fatalf("round %d: part %d: %v %v", round, n, found, err)
			}
		}
		must(t, s.Close())
	}
	if said < 40 {
		t.Errorf("only %d signed: the test tests nothing", said)
	}
}

// TestFullDisk lets the kernel refuse to let the file grow.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	cmd, lines := startChild(t, dir, "65536")
	said, last := 0, ""
	for lines.Scan() {
		if _, err := strconv.Atoi(lines.Text()); err == nil {
			said++
		}
		last = lines.Text()
	}
	must(t, cmd.Wait())
	want := fmt.Sprintf("full=true again=true recorded=%d: %s/%s: %v", said, dir, databaseName, ErrFull)
	if said == 0 || len(last) < len(want) || last[:len(want)] != want {
		t.Fatalf("it said %d and %q, want %q", said, last, want)
	}
	// Nothing is lost, and with space it goes on: the transaction that found no space was not signed.
	s := mustOpen(t, dir)
	if s.RestoredAtOpen() || s.ledger.Len() != said {
		t.Fatalf("%d recorded, it said %d; restored %v", s.ledger.Len(), said, s.RestoredAtOpen())
	}
	must(t, s.Sign(factory(1), []ledger.Entry{numbered(uint32(said), 2)}))
}

// TestFailingDisk injects an error at each step of a change.
func TestFailingDisk(t *testing.T) {
	for _, c := range []struct {
		name   string
		at     step
		err    error
		want   error
		goesOn bool // without a restart
		onDisk bool
	}{
		{name: "full", at: stepCommit, err: unix.ENOSPC, want: ErrFull, goesOn: true},
		{name: "quota", at: stepCommit, err: unix.EDQUOT, want: ErrFull, goesOn: true},
		{name: "broken", at: stepCommit, err: unix.EIO, want: ErrWrite},
		{name: "broken after the commit", at: stepSidecar, err: unix.EIO, want: unix.EIO, onDisk: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustOpen(t, t.TempDir())
			must(t, s.Sign(factory(1), []ledger.Entry{sale(1, 1)}))
			s.crash = func(at step) error {
				if at == c.at {
					return c.err
				}
				return nil
			}
			if err := s.Sign(factory(1), []ledger.Entry{sale(2, 1)}); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			s.crash = nil
			err := s.Sign(factory(1), []ledger.Entry{sale(2, 2)})
			if (err == nil) != c.goesOn {
				t.Fatalf("afterwards: %v", err)
			}
			s = reopen(t, s)
			if s.RestoredAtOpen() {
				t.Error("taken for restored")
			}
			wantRefusal(t, s.Sign(factory(1), []ledger.Entry{sale(1, 2)}), rule.PS011)
			if c.onDisk {
				wantRefusal(t, s.Sign(factory(1), []ledger.Entry{sale(2, 2)}), rule.PS011)
				return
			}
			must(t, s.Sign(factory(1), []ledger.Entry{sale(2, 2)}))
		})
	}
}
