package gen

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func load(t *testing.T) []vectors.File {
	t.Helper()
	files, err := vectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTheImplementationMatches(t *testing.T) {
	for _, m := range Verify(load(t), rule.Set{}) {
		t.Errorf("%s (%s): %s", m.Vector, m.Rule, m.Message)
	}
}

// TestEveryMutantIsCaught switches off each requirement that vectors check:
// a vector that names it has to notice.
func TestEveryMutantIsCaught(t *testing.T) {
	files := load(t)
	tried := 0
	for _, q := range rule.Embedded().Requirements {
		if q.Check != rule.ByVector {
			continue
		}
		tried++
		t.Run(string(q.ID), func(t *testing.T) {
			found := Verify(Naming(files, q.ID), rule.Without(q.ID))
			if !slices.ContainsFunc(found, func(m Mismatch) bool { return m.Rule == q.ID }) {
				t.Errorf("no vector that names %s notices (%d mismatches of others)", q.ID, len(found))
			}
		})
	}
	if tried == 0 {
		t.Error("no requirement is checked by vectors")
	}
}

// TestEveryVectorCanFail alters each vector and expects a mismatch: a check
// that passes whatever it is given would show here.
func TestEveryVectorCanFail(t *testing.T) {
	wrong := vectors.Failure{Kind: "not-a-kind", Field: "none", Rule: "TRN-000", Guilty: "sender"}
	for _, f := range load(t) {
		for _, v := range f.Vectors {
			alter(t, v, &wrong)
			f.Vectors = []vectors.Vector{v}
			if len(Verify([]vectors.File{f}, rule.Set{})) == 0 {
				t.Errorf("%s passes although it was altered", v.About().Name)
			}
		}
	}
}

// alter makes a good vector ask for a failure, and a bad one for another.
func alter(t *testing.T, v vectors.Vector, wrong *vectors.Failure) {
	t.Helper()
	switch v := v.(type) {
	case *vectors.Handshake:
		if v.Error != nil {
			v.Error = wrong
			return
		}
		v.LocalKey[0] ^= 1
	case *vectors.Transport:
		if v.Error != nil {
			v.Error = wrong
			return
		}
		v.Frame[0] ^= 1
	case *vectors.BigSize:
		if v.Error == nil {
			*v.Value ^= 1
			return
		}
		v.Error = wrong
	case *vectors.ProtocolID:
		v.ProtocolID[0] ^= 1
	case *vectors.TLV:
		v.Error = wrong
	case *vectors.Signed:
		v.Error = wrong
	case *vectors.Message:
		v.Error = wrong
	case *vectors.Payload:
		v.Error = wrong
	case *vectors.OpenDecision:
		v.Error = wrong
	case *vectors.Opening:
		v.Error = wrong
	case *vectors.Attempt:
		v.Error = wrong
	case *vectors.OutOfPlace:
		v.Error = wrong
	case *vectors.Purchase:
		v.Error = wrong
	case *vectors.OwnExit:
		v.Error = wrong
	case *vectors.Exposure:
		v.Error = wrong
	case *vectors.RelayedError:
		v.Error = wrong
	case *vectors.Limits:
		v.Error = wrong
	case *vectors.Split:
		v.Error = wrong
	case *vectors.Tree:
		v.Error = wrong
	case *vectors.History:
		v.Error = wrong
	case *vectors.SignRecord:
		v.Error = wrong
	case *vectors.Session:
		v.Error = wrong
	case *vectors.NodeKeys:
		v.Error = wrong
	case *vectors.Script:
		v.Error = wrong
	case *vectors.Commitment:
		v.Error = wrong
	case *vectors.Revocation:
		v.Error = wrong
	case *vectors.HTLCExpiry:
		v.Error = wrong
	case *vectors.CeremonyMessage:
		v.Error = wrong
	case *vectors.Batch:
		v.Error = wrong
	case *vectors.ChannelConversation:
		if v.Error != nil {
			v.Error = wrong
			return
		}
		v.Steps[len(v.Steps)-1].State += "x"
	case *vectors.Conversation:
		if v.Error != nil {
			v.Error = wrong
			return
		}
		v.Steps[len(v.Steps)-1].State += "x"
	default:
		t.Fatalf("no alteration for %T", v)
	}
}

func TestCommands(t *testing.T) {
	var out bytes.Buffer
	if err := VerifyAll(&out); err != nil {
		t.Errorf("verify: %v\n%s", err, out.String())
	}
	for _, want := range []string{`TRN +handshake`, `PCF +message`, ` 0 do not match`} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("verify prints no %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := List(&out); err != nil {
		t.Errorf("list: %v", err)
	}
	if n := bytes.Count(out.Bytes(), []byte("\n")); n < 400 {
		t.Errorf("list prints %d lines", n)
	}
}

func TestExportWritesTheEmbeddedFiles(t *testing.T) {
	dir := t.TempDir()
	if err := Export(dir); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := fs.WalkDir(vectors.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		want, err := fs.ReadFile(vectors.FS(), p)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(p)))
		if err == nil && !bytes.Equal(got, want) {
			t.Errorf("%s differs", p)
		}
		return err
	})
	if err != nil || n < 20 {
		t.Errorf("%d files, %v", n, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "LICENSE")); err != nil {
		t.Error(err)
	}
	loaded, err := vectors.LoadFS(os.DirFS(dir))
	if err != nil || len(loaded) != len(load(t)) {
		t.Errorf("what was exported does not load: %v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	files, err := vectors.Load()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Verify(files, rule.Set{})
	}
}

// TestLayoutsReadLikeTheCodecs reads every good message by its layout: the
// layouts that other languages are driven by say what the codecs do.
func TestLayoutsReadLikeTheCodecs(t *testing.T) {
	read := 0
	for _, f := range load(t) {
		for _, v := range f.Vectors {
			m, ok := v.(*vectors.Message)
			if !ok || m.Error != nil {
				continue
			}
			l, _ := vectors.LayoutOf(m.Message)
			header := 2
			if l.Sub != 0 {
				header = 4
			}
			got, err := l.Read(wire.Codec{}.NewReader(l.Name, m.Bytes[header:]))
			if err == nil {
				err = sameDecoded(got, m.Decoded)
			}
			if err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
			read++
		}
	}
	if read < 100 {
		t.Errorf("%d messages read", read)
	}
}

func TestDecodeNamesWhatItHasNoFormFor(t *testing.T) {
	const channelAnnouncement = 256
	if _, _, err := vectors.Decode(&wire.Base{Kind: channelAnnouncement}); !errors.Is(err, vectors.ErrNoLayout) {
		t.Errorf("error %v, want ErrNoLayout", err)
	}
}
