package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/wire"
	bolt "go.etcd.io/bbolt"

	"superscalar/refnode/ledger"
)

// schema is the version of the layout below. A later version reads the older ones; nothing reads a later one.
const schema = 1

// application marks the file as ours.
const application = "superscalar node"

// The buckets, all at the top, and the keys of meta.
const (
	bucketMeta      = "meta"
	bucketSigned    = "signed"    // number u64 -> factory id, entries: one record for each Sign
	bucketFactories = "factories" // factory id, part -> data
	bucketRestored  = "restored"  // factory id -> generation u64 at which the restore was noticed
	bucketRecords   = "records"   // bucket, 0x00, key -> data

	metaApplication = "application"
	metaSchema      = "schema"
	metaGeneration  = "generation"
	metaInstance    = "instance"
	metaBackup      = "backup" // there only in a file that Backup wrote
	metaSeal        = "seal"   // the only record that the seal does not count
)

var buckets = []string{bucketMeta, bucketSigned, bucketFactories, bucketRestored, bucketRecords}

// entrySize is the length of an encoded ledger entry: txid, index, kind, nSequence, sighash.
const entrySize = 32 + 4 + 1 + 4 + 32

// initialise fills an empty database.
func initialise(btx *bolt.Tx, random io.Reader) error {
	for _, name := range buckets {
		if _, err := btx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	tx := &Tx{bolt: btx, writable: true}
	tx.put(bucketMeta, []byte(metaApplication), []byte(application))
	tx.put(bucketMeta, []byte(metaSchema), number(schema))
	tx.put(bucketMeta, []byte(metaGeneration), number(0))
	if err := tx.drawInstance(random); err != nil {
		return err
	}
	return tx.writeSeal()
}

// number encodes one so that keys sort as numbers do.
func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func parseNumber(raw []byte) (uint64, error) {
	if len(raw) != 8 {
		return 0, fmt.Errorf("a number has %d bytes, want 8", len(raw))
	}
	return binary.BigEndian.Uint64(raw), nil
}

// encodeSigned is the record of one Sign.
func encodeSigned(factory [32]byte, entries []ledger.Entry) []byte {
	raw := append(make([]byte, 0, 32+len(entries)*entrySize), factory[:]...)
	for _, e := range entries {
		raw = append(raw, e.Outpoint.Hash[:]...)
		raw = binary.BigEndian.AppendUint32(raw, e.Outpoint.Index)
		raw = append(raw, byte(e.Kind))
		raw = binary.BigEndian.AppendUint32(raw, e.Sequence)
		raw = append(raw, e.Sighash[:]...)
	}
	return raw
}

func decodeSigned(raw []byte) (factory [32]byte, entries []ledger.Entry, err error) {
	if len(raw) < 32 || (len(raw)-32)%entrySize != 0 {
		return factory, nil, fmt.Errorf("a record of signatures has %d bytes", len(raw))
	}
	copy(factory[:], raw)
	for raw = raw[32:]; len(raw) > 0; raw = raw[entrySize:] {
		e := ledger.Entry{Kind: ledger.Kind(raw[36]), Sequence: binary.BigEndian.Uint32(raw[37:])}
		copy(e.Outpoint.Hash[:], raw)
		e.Outpoint.Index = binary.BigEndian.Uint32(raw[32:])
		copy(e.Sighash[:], raw[41:])
		entries = append(entries, e)
	}
	return factory, entries, nil
}

// load reads everything the store keeps in memory and checks every record on the way.
func (s *Store) load() error {
	err := s.guard(func() error { return s.db.View(s.loadFrom) })
	if err == nil {
		s.stale = false
		return nil
	}
	if asError(err) != nil {
		return err
	}
	return &Error{Path: s.path, Reason: ErrCorrupt, Detail: "put back a backup", Cause: err}
}

func (s *Store) loadFrom(btx *bolt.Tx) error {
	meta, err := s.identify(btx)
	if err != nil {
		return err
	}
	seal, err := checkSeal(btx)
	if err != nil {
		return err
	}
	generation, err := parseNumber(meta.Get([]byte(metaGeneration)))
	if err != nil {
		return err
	}
	instance := meta.Get([]byte(metaInstance))
	if len(instance) != len(s.instance) {
		return fmt.Errorf("the instance has %d bytes, want %d", len(instance), len(s.instance))
	}
	restored := map[[32]byte]bool{}
	err = btx.Bucket([]byte(bucketRestored)).ForEach(func(key, _ []byte) error {
		restored[[32]byte(key)] = true
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.loadSigned(btx, restored); err != nil {
		return err
	}
	s.seal, s.generation, s.instance, s.restored = seal, generation, [16]byte(instance), restored
	return nil
}

// identify tells whether the database is ours and of a version that we know.
func (s *Store) identify(btx *bolt.Tx) (*bolt.Bucket, error) {
	meta := btx.Bucket([]byte(bucketMeta))
	if meta == nil || !bytes.Equal(meta.Get([]byte(metaApplication)), []byte(application)) {
		return nil, &Error{Path: s.path, Reason: ErrForeign, Detail: "it is a bbolt database of something else"}
	}
	version, err := parseNumber(meta.Get([]byte(metaSchema)))
	if err != nil {
		return nil, err
	}
	if version > schema {
		return nil, &Error{Path: s.path, Reason: ErrNewer,
			Detail: fmt.Sprintf("schema %d, this program knows %d: use the program that wrote it", version, schema)}
	}
	if version < 1 {
		return nil, fmt.Errorf("schema %d never existed", version)
	}
	for _, name := range buckets {
		if btx.Bucket([]byte(name)) == nil {
			return nil, fmt.Errorf("bucket %s is missing", name)
		}
	}
	return meta, nil
}

// checkSeal compares all records with the seal and returns it.
func checkSeal(btx *bolt.Tx) (seal, error) {
	var sum seal
	for _, name := range buckets {
		err := btx.Bucket([]byte(name)).ForEach(func(key, value []byte) error {
			if name != bucketMeta || string(key) != metaSeal {
				sum.add(name, key, value)
			}
			return nil
		})
		if err != nil {
			return sum, err
		}
	}
	want, err := decodeSeal(btx.Bucket([]byte(bucketMeta)).Get([]byte(metaSeal)))
	if err != nil {
		return sum, err
	}
	if sum != want {
		return sum, fmt.Errorf("its records (%d, should be %d) do not match their checksum", sum.count, want.count)
	}
	return sum, nil
}

// loadSigned makes the ledger.
func (s *Store) loadSigned(btx *bolt.Tx, restored map[[32]byte]bool) error {
	var all []ledger.Entry
	frozen := map[wire.OutPoint][32]byte{}
	err := btx.Bucket([]byte(bucketSigned)).ForEach(func(_, value []byte) error {
		factory, entries, err := decodeSigned(value)
		if err != nil {
			return err
		}
		all = append(all, entries...)
		if restored[factory] {
			for _, e := range entries {
				frozen[e.Outpoint] = factory
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	l, err := ledger.New(s.rules, all)
	if err != nil {
		return err
	}
	s.ledger, s.frozen = l, frozen
	return nil
}
