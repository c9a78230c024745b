package datadir

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	identityFile = "node.json"
	draftFile    = "node.json.new" // never read; of use only to its writer
	lockFile     = "lock"

	// format is the version of node.json that this package writes, and the
	// only one so far.
	format = 1

	// maxFile bounds in bytes what is read; the file has about 250.
	maxFile = 4096
)

// restore is the remedy for a file that cannot be used as it is.
const restore = "restore it from a backup, or move the directory away to " +
	"start with a new identity"

// identity is the content of node.json.
type identity struct {
	Format   int    `json:"format"`
	Role     string `json:"role"`
	Network  string `json:"network"`
	Seed     string `json:"seed"`     // 64 lower-case hex digits
	Checksum string `json:"checksum"` // see sum
}

// sum returns SHA256 of the other fields, one per line, in hex. It finds
// accidents, not attackers: whoever can write the file has the seed.
func (id identity) sum() string {
	h := sha256.Sum256(fmt.Appendf(nil, "superscalar node\n%d\n%s\n%s\n%s\n",
		id.Format, id.Role, id.Network, id.Seed))

	return hex.EncodeToString(h[:])
}

// load reads node.json and returns its seed. The error is fs.ErrNotExist when
// there is none, else an *Error.
func load(dir string, want identity) ([]byte, error) {
	raw, err := readPrivate(dir)
	if err != nil {
		return nil, err
	}
	id, err := parse(raw)
	if err != nil {
		return nil, refusal(dir, err)
	}
	if id.Role != want.Role {
		return nil, &Error{dir, ErrWrongRole,
			fmt.Sprintf("it is of role %q, not %q", id.Role, want.Role),
			"choose another directory for this role"}
	}
	if id.Network != want.Network {
		return nil, &Error{dir, ErrWrongNetwork,
			fmt.Sprintf("it is on %s, not %s", id.Network, want.Network),
			"choose another directory for this network"}
	}

	return hex.DecodeString(id.Seed)
}

// readPrivate reads node.json if nobody else can.
func readPrivate(dir string) ([]byte, error) {
	path := filepath.Join(dir, identityFile)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{dir, ErrCorrupt, "it is not a regular file", restore}
	}
	if mode := info.Mode().Perm(); mode&^0o600 != 0 {
		return nil, &Error{dir, ErrPermissions,
			fmt.Sprintf("its mode is %04o", mode),
			"if nobody else has read the seed, run: chmod 600 " + path}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()

	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// parse checks everything about node.json that does not depend on the caller.
// The error wraps ErrCorrupt or ErrNewerFormat.
func parse(raw []byte) (identity, error) {
	var id identity
	if len(raw) > maxFile {
		return id, fmt.Errorf("%w: it is longer than %d bytes", ErrCorrupt,
			maxFile)
	}

	// A newer format may have any other field, so its number comes first.
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return id, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if head.Format > format {
		return id, fmt.Errorf("%w: %d, this version knows %d",
			ErrNewerFormat, head.Format, format)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&id); err != nil {
		return id, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if id.Format != format {
		return id, fmt.Errorf("%w: format %d never existed", ErrCorrupt,
			id.Format)
	}
	if id.Checksum != id.sum() {
		return id, fmt.Errorf("%w: wrong checksum", ErrCorrupt)
	}
	if seed, err := hex.DecodeString(id.Seed); err != nil || len(seed) != seedSize {
		return id, fmt.Errorf("%w: the seed is not %d bytes in hex",
			ErrCorrupt, seedSize)
	}

	return id, nil
}

// refusal gives an error of parse its directory and its remedy.
func refusal(dir string, err error) error {
	e := &Error{Path: dir, Reason: ErrCorrupt, Remedy: restore}
	if errors.Is(err, ErrNewerFormat) {
		e.Reason, e.Remedy = ErrNewerFormat, "use the version that wrote it"
	}
	e.Detail = err.Error()[len(e.Reason.Error())+len(": "):]

	return e
}

// create draws a seed and writes node.json: a draft first, flushed to disk
// and then renamed, so that the file is either whole or not there.
func create(dir string, id identity, random io.Reader) ([]byte, error) {
	if err := checkEmpty(dir); err != nil {
		return nil, err
	}
	seed := make([]byte, seedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("draw a seed for %s: %w", dir, err)
	}
	id.Format, id.Seed = format, hex.EncodeToString(seed)
	id.Checksum = id.sum()
	raw, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode node.json: %w", err)
	}
	if err := install(dir, append(raw, '\n')); err != nil {
		return nil, fmt.Errorf("write node.json: %w", err)
	}

	return seed, nil
}

// checkEmpty refuses a directory that holds anything but what this package
// itself may leave when it dies half-way.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look into node directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() != lockFile && e.Name() != draftFile {
			return &Error{dir, ErrNoIdentity,
				fmt.Sprintf("but %q is there", e.Name()),
				"restore node.json from a backup, or choose an " +
					"empty directory"}
		}
	}

	return nil
}

// install puts raw into node.json, or leaves nothing.
func install(dir string, raw []byte) (err error) {
	draft := filepath.Join(dir, draftFile)
	final := filepath.Join(dir, identityFile)
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(draft)
		}
	}()
	if err := writeSynced(draft, raw); err != nil {
		return err
	}
	if err := os.Rename(draft, final); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		// Nobody has seen the seed yet, so it is not missed.
		_ = os.Remove(final)
		return err
	}

	return nil
}

// writeSynced writes a new file that only its owner can read, down to disk.
func writeSynced(path string, raw []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)

	return cmp.Or(err, f.Sync(), f.Close())
}

// syncDir flushes the names in a directory to disk.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}

	return cmp.Or(f.Sync(), f.Close())
}
