package vectors

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"superscalar/wire/rule"
)

// Load reads all embedded files, sorted by path. It fails on anything it does
// not understand: see the package comment.
func Load() ([]File, error) { return LoadFS(files) }

// LoadFS is Load for another copy of the files.
func LoadFS(from fs.FS) ([]File, error) {
	var out []File
	var sizes []int64
	seen := map[string]string{}
	areas := Areas()
	slices.Sort(areas)
	for _, area := range areas {
		paths, err := fs.Glob(from, strings.ToLower(area)+"/*.json")
		if err != nil || len(paths) == 0 {
			return nil, fmt.Errorf("vectors of area %s: no files (%v)", area, err)
		}
		for _, p := range paths {
			about, err := fs.Stat(from, p)
			if err != nil {
				return nil, fmt.Errorf("vectors: %w", err)
			}
			out, sizes = append(out, File{Path: p}), append(sizes, about.Size())
		}
	}
	if err := parseAll(from, out, sizes); err != nil {
		return nil, err
	}
	for _, f := range out {
		if err := f.check(seen); err != nil {
			return nil, fmt.Errorf("vectors: %s: %w", f.Path, err)
		}
	}
	if err := linkConversations(out); err != nil {
		return nil, err
	}
	return out, linkChannelConversations(out)
}

// parseAll reads files, at their paths, on all cores; the largest come first, so
// that none is left over for one core.
func parseAll(from fs.FS, out []File, sizes []int64) error {
	order := make([]int, len(out))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sizes[b], sizes[a]) })
	errs := make([]error, len(out))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(out)) {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < int64(len(order)); n = next.Add(1) - 1 {
				i := order[n]
				p := out[i].Path
				if out[i], errs[i] = parse(from, p); errs[i] != nil {
					errs[i] = fmt.Errorf("vectors: %s: %w", p, errs[i])
				}
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// linkConversations gives every conversation the one it goes on from.
func linkConversations(files []File) error {
	byName := map[string]*Conversation{}
	for _, f := range files {
		for _, v := range f.Vectors {
			if c, ok := v.(*Conversation); ok {
				byName[c.Name] = c
			}
		}
	}
	for _, c := range byName {
		if c.After == "" {
			continue
		}
		c.Before = byName[c.After]
		if c.Before == nil || c.Before.Error != nil || c.Before.Party != c.Party {
			return fmt.Errorf("vectors: %s goes on from %s, which is no good conversation of the %s", c.Name, c.After, c.Party)
		}
		for at := c.Before; at != nil; at = byName[at.After] {
			if at == c {
				return fmt.Errorf("vectors: %s goes on from itself", c.Name)
			}
		}
	}
	return nil
}

// parse reads one file, vector by vector. Its path says the kind of its vectors;
// whether the file says the same is looked at later.
func parse(from fs.FS, p string) (File, error) {
	r, err := from.Open(p)
	if err != nil {
		return File{}, err
	}
	defer r.Close()
	f := File{Path: p}
	header := map[string]any{"schema": &f.Schema, "area": &f.Area, "kind": &f.Kind, "source": &f.Source,
		"license": &f.License, "comment": &f.Comment}
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := expect(dec, json.Delim('{')); err != nil {
		return File{}, err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return File{}, err
		}
		name := key.(string) // the Decoder lets nothing else pass
		into, known := header[name]
		switch {
		case name == "vectors" && f.Vectors == nil:
			f.Vectors, err = parseVectors(dec, strings.TrimSuffix(path.Base(p), ".json"))
		case known:
			err = dec.Decode(into)
			delete(header, name)
		default:
			err = fmt.Errorf("unknown field %q, or one that stands twice", name)
		}
		if err != nil {
			return File{}, err
		}
	}
	if err := expect(dec, json.Delim('}')); err != nil {
		return File{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return File{}, errors.New("something follows the JSON value")
	}
	if blank(f.Kind) == nil {
		return File{}, fmt.Errorf("unknown kind %q", f.Kind)
	}
	return f, nil
}

// parseVectors reads the list of vectors of a kind.
func parseVectors(dec *json.Decoder, kind string) ([]Vector, error) {
	if blank(kind) == nil {
		return nil, fmt.Errorf("unknown kind %q", kind)
	}
	if err := expect(dec, json.Delim('[')); err != nil {
		return nil, err
	}
	all := []Vector{}
	for dec.More() {
		v := blank(kind)
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("vector %d: %w", len(all), err)
		}
		if v == nil {
			return nil, fmt.Errorf("vector %d: there is none", len(all))
		}
		all = append(all, v)
	}
	return all, expect(dec, json.Delim(']'))
}

// expect reads a delimiter.
func expect(dec *json.Decoder, want json.Delim) error {
	got, err := dec.Token()
	if err == nil && got != want {
		err = fmt.Errorf("%v has to stand where %v does", want, got)
	}
	return err
}

// blank returns a new vector of a kind, nil when there is no such kind.
func blank(kind string) Vector {
	switch kind {
	case "handshake":
		return &Handshake{}
	case "transport":
		return &Transport{}
	case "bigsize":
		return &BigSize{}
	case "tlv":
		return &TLV{}
	case "signed":
		return &Signed{}
	case "message":
		return &Message{}
	case "payload":
		return &Payload{}
	case "protocol_id":
		return &ProtocolID{}
	case "open_decision":
		return &OpenDecision{}
	case "ceremony_message":
		return &CeremonyMessage{}
	case "parameters":
		return &Limits{}
	case "split":
		return &Split{}
	case "tree":
		return &Tree{}
	case "history":
		return &History{}
	case "record":
		return &SignRecord{}
	case "session":
		return &Session{}
	case "node_keys":
		return &NodeKeys{}
	case "script":
		return &Script{}
	case "conversation":
		return &Conversation{}
	case "channel_conversation":
		return &ChannelConversation{}
	case "commitment":
		return &Commitment{}
	case "batch":
		return &Batch{}
	case "htlc_expiry":
		return &HTLCExpiry{}
	case "out_of_place":
		return &OutOfPlace{}
	case "purchase":
		return &Purchase{}
	case "attempt":
		return &Attempt{}
	case "own_exit":
		return &OwnExit{}
	case "exposure":
		return &Exposure{}
	case "relayed_error":
		return &RelayedError{}
	case "opening":
		return &Opening{}
	case "revocation":
		return &Revocation{}
	}
	return nil
}

// check checks what a file says about itself and its vectors; seen maps the
// names met so far to their file.
func (f File) check(seen map[string]string) error {
	if want := strings.ToLower(f.Area) + "/" + f.Kind + ".json"; f.Path != want {
		return fmt.Errorf("area %s and kind %s belong into %s", f.Area, f.Kind, want)
	}
	if f.Schema != Version || f.License != License || f.Source == "" || f.Comment == "" {
		return fmt.Errorf("the header wants schema %d, license %s, a source and a comment", Version, License)
	}
	for _, v := range f.Vectors {
		h := v.About()
		if other, twice := seen[h.Name]; twice || h.Name == "" {
			return fmt.Errorf("name %q is empty or stands in %s already", h.Name, other)
		}
		seen[h.Name] = path.Base(f.Path)
		if err := checkRules(v); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		if err := checkOutputs(v); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		if err := checkNames(v); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	return nil
}

func checkRules(v Vector) error {
	ids := v.About().Rules
	if len(ids) == 0 {
		return fmt.Errorf("names no rule")
	}
	for i, id := range ids {
		if _, known := rule.Embedded().Lookup(id); !known {
			return fmt.Errorf("rule %s is not in SPEC.md", id)
		}
		if slices.Contains(ids[:i], id) {
			return fmt.Errorf("rule %s is named twice", id)
		}
	}
	if e := v.Fails(); e != nil && !slices.Contains(ids, e.Rule) {
		return fmt.Errorf("the error's rule %s is not among the rules", e.Rule)
	}
	return nil
}

// checkOutputs refuses a vector that is neither good, with its outputs, nor
// bad, without them. The schemas say the rest.
func checkOutputs(v Vector) error {
	outputs := true
	switch v := v.(type) {
	case *Handshake:
		outputs = v.ChainingKey != nil && v.SendingKey != nil && v.ReceivingKey != nil
	case *BigSize:
		outputs = v.Value != nil
	case *Signed:
		if outputs = v.Value != nil; !slices.Contains([]int{1, 2, 4, 8}, v.Width) {
			return fmt.Errorf("no signed integer has %d bytes", v.Width)
		}
	case *Payload:
		outputs = v.Type != nil
	case *OpenDecision:
		outputs = v.Decision == "accept"
	case *OutOfPlace:
		outputs = v.Reaction != ""
	case *Purchase:
		outputs = v.Update != nil || v.Agrees != nil
	case *Attempt:
		n := len(v.Steps)
		faults := 0
		for _, h := range v.Steps {
			if h.Fault {
				faults++
			}
		}
		if faults > 1 || faults == 1 && !v.Steps[n-1].Fault {
			return fmt.Errorf("%d faults, one is allowed, in the last step", faults)
		}
		outputs = faults == 0
	case *OwnExit:
		outputs = v.Waits != nil
	case *Exposure:
		outputs = v.Kept != nil
	case *RelayedError:
		outputs = v.Relayed != nil
	case *Opening:
		outputs = v.Decision != ""
	case *Limits:
		outputs = v.EarlyWarningTime != nil && v.ExitTime != nil && v.ExitHeight != nil
	case *Split:
		return nil // a bad one has wrong ones
	case *Tree:
		outputs = len(v.Transactions) > 0 && v.FundingValue != nil
	case *History:
		return nil // the outputs are in its steps
	case *SignRecord:
		outputs = v.Recorded != nil
	case *Session:
		outputs = v.Signature != nil
	case *Script:
		outputs = v.Descriptor != ""
	case *Commitment:
		outputs = v.FeeSat != nil && v.Tx != nil && v.Txid != nil && v.Sighash != nil && v.SignedTx != nil
	case *Revocation:
		outputs = v.Received != nil
	case *HTLCExpiry:
		outputs = v.Blocks != nil || v.Unbounded
	case *Conversation:
		faults := 0
		for _, h := range v.Steps {
			if h.Fault {
				faults++
			}
		}
		if faults > 1 {
			return fmt.Errorf("%d faults, at most one is allowed", faults)
		}
		outputs = faults == 0
	case *ChannelConversation:
		faults := 0
		for _, h := range v.Steps {
			if h.Fault {
				faults++
			}
		}
		if faults > 1 {
			return fmt.Errorf("%d faults, at most one is allowed", faults)
		}
		outputs = faults == 0
	case *Batch:
		outputs = v.Taken != nil
	case *CeremonyMessage:
		if v.Op == "encode" {
			outputs = v.Bytes != nil
		} else {
			outputs = len(v.Records) > 0
		}
	case *Message:
		if v.Error != nil {
			outputs = len(v.Fields)+len(v.Records)+len(v.Unknown) > 0
		}
	default:
		return nil
	}
	if bad := v.Fails() != nil; bad == outputs {
		return fmt.Errorf("outputs and an error exclude each other, and one of them has to be there")
	}
	return nil
}

// checkNames refuses fields and records that no layout knows.
func checkNames(v Vector) error {
	switch v := v.(type) {
	case *Message:
		l, ok := LayoutOf(v.Message)
		if !ok {
			return fmt.Errorf("unknown message %q", v.Message)
		}
		return l.checkNames(v.Decoded)
	case *CeremonyMessage:
		l, ok := CeremonyLayoutOf(v.Message)
		if !ok {
			return fmt.Errorf("unknown ceremony message %q", v.Message)
		}
		return l.checkNames(v.Decoded)
	case *TLV:
		l := Namespaces[0]
		if v.Namespace == Namespaces[1].Name {
			l = Namespaces[1]
		}
		return l.checkNames(v.Decoded)
	}
	return nil
}
