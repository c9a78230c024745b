package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt trusts its file: a wrong page number can make it panic in a goroutine of its own, run in a circle, or read past the end of
// the mapping, and none of these can be caught. So the structure is checked here, before bbolt sees the file: every page that can
// be reached is inside the file, is what it is used for, is used once, and holds sorted keys inside its bounds. What the records
// say is the seal's business.

const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader  = 16 // id u64, flags u16, count u16, overflow u32
	elementSize = 16
	metaSize    = 64

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10

	leafIsBucket = 0x01
	bucketHeader = 16 // root u64, sequence u64

	noFreelist   = ^uint64(0)
	minPageSize  = 1 << 10
	maxPageSize  = 1 << 24
	maxTreeDepth = 64
)

// order is that of the machine: bbolt maps its structures from memory.
var order = binary.NativeEndian

// errNoMagic is the error of verifyFile for a file that is no bbolt database at all.
var errNoMagic = fmt.Errorf("it is no bbolt database")

// boltMeta is one of the two places from which everything is reached.
type boltMeta struct {
	pageSize             int64
	root, freelist, high uint64 // page numbers; high is one above the last in use
	txid                 uint64
}

// readMeta parses the meta page at an offset. magic tells whether it looks like one at all.
func readMeta(f io.ReaderAt, offset int64) (m boltMeta, magic, valid bool) {
	page := make([]byte, pageHeader+metaSize)
	if _, err := f.ReadAt(page, offset); err != nil {
		return m, false, false
	}
	raw := page[pageHeader:]
	if order.Uint32(raw) != boltMagic {
		return m, false, false
	}
	sum := fnv.New64a()
	sum.Write(raw[:metaSize-8])
	if order.Uint32(raw[4:]) != boltVersion || order.Uint64(raw[metaSize-8:]) != sum.Sum64() {
		return m, true, false
	}
	m = boltMeta{
		pageSize: int64(order.Uint32(raw[8:])),
		root:     order.Uint64(raw[16:]),
		freelist: order.Uint64(raw[32:]),
		high:     order.Uint64(raw[40:]),
		txid:     order.Uint64(raw[48:]),
	}
	size := m.pageSize
	return m, true, size >= minPageSize && size <= maxPageSize && size&(size-1) == 0
}

// currentMeta finds the meta page that bbolt will use: the later of those that are valid.
func currentMeta(f io.ReaderAt) (boltMeta, error) {
	best, magic, found := readMeta(f, 0)
	second := []int64{best.pageSize}
	if !found {
		second = nil
		for size := int64(minPageSize); size <= maxPageSize; size <<= 1 {
			second = append(second, size)
		}
	}
	for _, offset := range second {
		m, like, valid := readMeta(f, offset)
		magic = magic || like
		if valid && m.pageSize == offset && (!found || m.txid > best.txid) {
			best, found = m, true
		}
	}
	switch {
	case found:
		return best, nil
	case magic:
		return best, fmt.Errorf("both of its meta pages are damaged")
	}
	return best, errNoMagic
}

// walker visits every page that can be reached.
type walker struct {
	file io.ReaderAt
	boltMeta
	used []bool
}

// verifyFile checks the structure of a bbolt file. The error says what is wrong.
func verifyFile(f io.ReaderAt, size int64) error {
	m, err := currentMeta(f)
	if err != nil {
		return err
	}
	if m.high < 3 || m.high > uint64(size/m.pageSize) {
		return fmt.Errorf("it is cut off: %d bytes, %d pages of %d bytes are in use", size, m.high, m.pageSize)
	}
	w := &walker{file: f, boltMeta: m, used: make([]bool, m.high)}
	w.used[0], w.used[1] = true, true
	if err := w.walk(m.root, nil, nil, 0); err != nil {
		return err
	}
	if m.freelist == noFreelist {
		return nil
	}
	return w.walkFreelist()
}

// page reads a page with what overflows from it, and marks it used. count is the number of its elements.
func (w *walker) page(id uint64) (page []byte, flags uint16, count int, err error) {
	if id < 2 || id >= w.high {
		return nil, 0, 0, fmt.Errorf("there is no page %d", id)
	}
	header := make([]byte, pageHeader)
	offset := int64(id) * w.pageSize
	if _, err := w.file.ReadAt(header, offset); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, err)
	}
	overflow := uint64(order.Uint32(header[12:]))
	if order.Uint64(header) != id || overflow >= w.high-id {
		return nil, 0, 0, fmt.Errorf("page %d has a wrong header", id)
	}
	for p := id; p <= id+overflow; p++ {
		if w.used[p] {
			return nil, 0, 0, fmt.Errorf("page %d is used twice", p)
		}
		w.used[p] = true
	}
	page = make([]byte, int64(overflow+1)*w.pageSize)
	if _, err := w.file.ReadAt(page, offset); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, err)
	}
	return page, order.Uint16(header[8:]), int(order.Uint16(header[10:])), nil
}

// walk checks the page id and everything below it. Its keys are at least low and under high, nil standing for no bound.
func (w *walker) walk(id uint64, low, high []byte, depth int) error {
	page, flags, count, err := w.page(id)
	if err != nil {
		return err
	}
	if depth > maxTreeDepth {
		return fmt.Errorf("page %d is too deep", id)
	}
	switch flags {
	case flagLeaf:
		err = w.leaf(page, count, low, high, depth)
	case flagBranch:
		err = w.branch(page, count, low, high, depth)
	default:
		err = fmt.Errorf("it has flags %#x", flags)
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// branch checks a page that leads to others.
func (w *walker) branch(page []byte, count int, low, high []byte, depth int) error {
	if count == 0 || len(page) < pageHeader+count*elementSize {
		return fmt.Errorf("it has %d elements", count)
	}
	keys, children := make([][]byte, count), make([]uint64, count)
	for i := range count {
		at := pageHeader + i*elementSize
		key, err := span(page, at, order.Uint32(page[at:]), order.Uint32(page[at+4:]))
		if err != nil {
			return err
		}
		keys[i], children[i] = key, order.Uint64(page[at+8:])
	}
	if err := sorted(keys, low, high); err != nil {
		return err
	}
	for i, child := range children {
		next := high
		if i+1 < count {
			next = keys[i+1]
		}
		if err := w.walk(child, keys[i], next, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// leaf checks a page of records, and the buckets among them.
func (w *walker) leaf(page []byte, count int, low, high []byte, depth int) error {
	if len(page) < pageHeader+count*elementSize {
		return fmt.Errorf("it has %d elements", count)
	}
	keys := make([][]byte, count)
	for i := range count {
		at := pageHeader + i*elementSize
		keySize, valueSize := order.Uint32(page[at+8:]), order.Uint32(page[at+12:])
		record, err := span(page, at, order.Uint32(page[at+4:]), keySize, valueSize)
		if err != nil {
			return err
		}
		keys[i] = record[:keySize]
		switch order.Uint32(page[at:]) {
		case 0:
		case leafIsBucket:
			if err := w.bucket(record[keySize:], depth); err != nil {
				return err
			}
		default:
			return fmt.Errorf("element %d has unknown flags", i)
		}
	}
	return sorted(keys, low, high)
}

// bucket checks a bucket, which is small and inline or has a page of its own.
func (w *walker) bucket(value []byte, depth int) error {
	if len(value) < bucketHeader {
		return fmt.Errorf("a bucket has no header")
	}
	if root := order.Uint64(value); root != 0 {
		return w.walk(root, nil, nil, depth+1)
	}
	page := value[bucketHeader:]
	if len(page) < pageHeader || order.Uint16(page[8:]) != flagLeaf || depth > maxTreeDepth {
		return fmt.Errorf("an inline bucket has no page")
	}
	return w.leaf(page, int(order.Uint16(page[10:])), nil, nil, depth+1)
}

// span returns the bytes of an element at a position: they begin pos bytes after it.
func span(page []byte, at int, pos uint32, sizes ...uint32) ([]byte, error) {
	begin := uint64(at) + uint64(pos)
	end := begin
	for _, size := range sizes {
		end += uint64(size)
	}
	if pos < elementSize || end > uint64(len(page)) {
		return nil, fmt.Errorf("an element lies outside of it")
	}
	return page[begin:end], nil
}

// sorted checks that keys rise strictly and stay in bounds.
func sorted(keys [][]byte, low, high []byte) error {
	for i, key := range keys {
		switch {
		case i > 0 && bytes.Compare(keys[i-1], key) >= 0,
			low != nil && bytes.Compare(key, low) < 0,
			high != nil && bytes.Compare(key, high) >= 0:
			return fmt.Errorf("its keys are out of order")
		}
	}
	return nil
}

// walkFreelist checks that free pages exist and are free.
func (w *walker) walkFreelist() error {
	page, flags, count, err := w.page(w.freelist)
	if err != nil {
		return err
	}
	ids, total := page[pageHeader:], uint64(count)
	if count == 0xffff { // then the first number is the count
		total, ids = order.Uint64(ids), ids[8:]
	}
	if flags != flagFreelist || total > uint64(len(ids)/8) {
		return fmt.Errorf("page %d is no list of free pages", w.freelist)
	}
	for ; total > 0; total, ids = total-1, ids[8:] {
		id := order.Uint64(ids)
		if id < 2 || id >= w.high || w.used[id] {
			return fmt.Errorf("page %d is not free", id)
		}
		w.used[id] = true
	}
	return nil
}
