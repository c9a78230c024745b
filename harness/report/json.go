package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// The files of a report folder.
const (
	jsonFile  = "report.json"
	junitFile = "junit.xml"
	htmlFile  = "index.html"
)

// Errors that callers can tell apart.
var (
	// ErrFolder: the report folder cannot be created or written in.
	ErrFolder = errors.New("report folder not usable")
	// ErrMalformed: a file is not a report of this schema version.
	ErrMalformed = errors.New("not a report")
)

// Write writes report.json, junit.xml and index.html into dir, which it
// creates when missing. All three are complete before the first is put in
// place, each by a rename, report.json last: a reader that finds a new
// report.json finds the other two beside it. The report has to be finished
// (see Finish). Errors are ErrFolder, one line, and say what to do.
func Write(dir string, r *Report) error {
	record, err := encode(r)
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	junit, err := junitXML(r)
	if err != nil {
		return fmt.Errorf("encode JUnit report: %w", err)
	}
	page, err := htmlPage(r)
	if err != nil {
		return fmt.Errorf("render HTML report: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return folderError(dir, err)
	}
	return place(dir, []output{{htmlFile, page}, {junitFile, junit}, {jsonFile, record}})
}

// output is one file to be written.
type output struct {
	name string
	data []byte
}

// place writes all files under temporary names, then renames them. Whatever
// fails, no temporary file is left behind.
func place(dir string, files []output) (err error) {
	temps := make([]string, 0, len(files))
	defer func() {
		if err != nil {
			for _, t := range temps {
				os.Remove(t)
			}
		}
	}()
	for _, f := range files {
		temp, err := writeTemp(dir, f)
		if temp != "" {
			temps = append(temps, temp)
		}
		if err != nil {
			return folderError(dir, err)
		}
	}
	for i, f := range files {
		if err := os.Rename(temps[i], filepath.Join(dir, f.name)); err != nil {
			return folderError(dir, err)
		}
	}
	return nil
}

// writeTemp writes one file under a temporary name, which it returns even
// when writing failed.
func writeTemp(dir string, f output) (name string, err error) {
	file, err := os.CreateTemp(dir, "."+f.name+".*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(f.data)
	// CreateTemp makes the file private; a CI server has to read it.
	return file.Name(), errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close())
}

// folderError says in one line what is wrong with dir and what to do.
func folderError(dir string, err error) error {
	name := printable(dir)
	info, statErr := os.Stat(dir)
	switch {
	case errors.Is(err, syscall.ENOTDIR), statErr == nil && !info.IsDir():
		return fmt.Errorf("%w: %s is, or is inside, a file: name a folder with --report", ErrFolder, name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: no permission to write in %s: name another folder with --report", ErrFolder, name)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: no space left in %s: free some, or name another folder with --report", ErrFolder, name)
	}
	return fmt.Errorf("%w: %s: %w: name another folder with --report", ErrFolder, name, cause(err))
}

// cause strips the path that the error of a file operation repeats.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return fmt.Errorf("put %s in place: %w", filepath.Base(e.New), e.Err)
	}
	return err
}

// encode is the JSON form, indented, with lists that are empty rather than
// null where the schema asks for a list.
func encode(r *Report) ([]byte, error) {
	c := *r
	c.Profiles = listed(c.Profiles)
	c.Requirements = listed(c.Requirements)
	c.Cases = listed(slices.Clone(c.Cases))
	for i := range c.Cases {
		k := &c.Cases[i]
		k.Rules = listed(k.Rules)
		k.Failures = slices.Clone(k.Failures)
		for j := range k.Failures {
			k.Failures[j].Expected = listed(k.Failures[j].Expected)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(&c); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Read reads a report from a folder that Write filled, or from a report.json
// of any name. It refuses unknown fields, anything after the report, and
// another schema version, with ErrMalformed. It does not check that the parts
// of the report agree: that is Check.
func Read(path string) (*Report, error) {
	data, err := readRecord(path)
	if err != nil {
		return nil, err
	}
	return decode(data)
}

// readRecord reads the JSON form. The error keeps fs.ErrNotExist.
func readRecord(path string) ([]byte, error) {
	file := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		file = filepath.Join(path, jsonFile)
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no report at %s: write one with conform --report: %w", printable(file), fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("read report %s: %w", printable(file), cause(err))
	}
	return data, nil
}

func decode(data []byte) (*Report, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var r Report
	if err := dec.Decode(&r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows the report", ErrMalformed)
	}
	if r.SchemaVersion != SchemaVersion {
		return nil, fmt.Errorf("%w: schema version %d, want %d", ErrMalformed, r.SchemaVersion, SchemaVersion)
	}
	return &r, nil
}
