package factory

import (
	"fmt"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/musig"
	"superscalar/wire/rule"
)

// keyring aggregates the keys of a factory, once for each set of clients. It
// belongs to one Factory, hence to one party.
type keyring struct {
	lsp     *musig.PublicKey
	clients []*musig.PublicKey
	root    [32]byte // merkle root of the script path of stock outputs
	rules   rule.Set

	mu     sync.Mutex
	plain  map[Range]*musig.KeyAgg
	nodes  map[Range]*musig.KeyAgg
	stocks map[Range]*musig.KeyAgg
	uses   map[[32]byte]use
}

// use says what an output key is for.
type use struct {
	clients Range
	stock   bool
}

// newKeyring checks that there are keys and that no two are the same
// (SCRIPT-006).
func newKeyring(lsp *musig.PublicKey, clients []*musig.PublicKey, stockCSV uint16, rules rule.Set) (*keyring, error) {
	if lsp == nil {
		return nil, malformed(rule.SCRIPT006, "lsp_factory_key", "missing")
	}
	seen := map[[musig.PublicKeySize]byte]int{lsp.Bytes(): -1}
	for i, key := range clients {
		if key == nil {
			return nil, malformed(rule.SCRIPT006, "factory_keys", "the key of client %d is missing", i)
		}
		other, found := seen[key.Bytes()]
		name := "the LSP"
		if other >= 0 {
			name = fmt.Sprintf("client %d", other)
		}
		if err := check(rules, rule.SCRIPT006, "factory_keys", found,
			"client %d has the key of %s", i, name); err != nil {
			return nil, err
		}
		seen[key.Bytes()] = i
	}

	return &keyring{
		lsp: lsp, clients: clients, rules: rules,
		root:   leafHash(stockScript(lsp.XOnly(), stockCSV)),
		plain:  make(map[Range]*musig.KeyAgg),
		nodes:  make(map[Range]*musig.KeyAgg),
		stocks: make(map[Range]*musig.KeyAgg),
		uses:   make(map[[32]byte]use),
	}, nil
}

// signers returns the keys of the clients in r, in their order, and then the
// LSP's.
func (k *keyring) signers(r Range) []*musig.PublicKey {
	keys := make([]*musig.PublicKey, 0, int(r.Count)+1)
	keys = append(keys, k.clients[r.First:r.End()]...)

	return append(keys, k.lsp)
}

// node returns the key of an output that a transaction of the tree over r
// spends (SCRIPT-001).
func (k *keyring) node(r Range) (*musig.KeyAgg, error) {
	return k.tweaked(k.nodes, use{clients: r}, nil)
}

// stock returns the key of a stock output of the group r (SCRIPT-002).
func (k *keyring) stock(r Range) (*musig.KeyAgg, error) {
	return k.tweaked(k.stocks, use{r, true}, k.stockRoot())
}

// stockRoot is the merkle root of stock outputs, none in a mutant.
func (k *keyring) stockRoot() []byte {
	if !k.rules.On(rule.SCRIPT002) {
		return nil
	}

	return k.root[:]
}

func (k *keyring) tweaked(cache map[Range]*musig.KeyAgg, u use, root []byte) (*musig.KeyAgg, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := u.clients
	if key, ok := cache[r]; ok {
		return key, nil
	}
	if r.Count == 0 || r.End() > len(k.clients) {
		return nil, mistake("clients", "no clients %s", r)
	}
	plain, err := k.aggregate(r)
	if err != nil {
		return nil, wrong(rule.SCRIPT001, "factory_keys", err)
	}
	key, err := plain.Taproot(root)
	if err != nil {
		return nil, wrong(rule.SCRIPT001, "factory_keys", err)
	}
	cache[r], k.uses[key.OutputKey()] = key, u

	return key, nil
}

// prepare aggregates all that a tree in this view has, at once, which costs a
// fraction of one after the other. What is wrong shows when a key is used.
func (k *keyring) prepare(l *Layout, view View) {
	if k.aggregatesItsOwnWay() {
		return
	}
	nodes, stocks := keySets(l, view)
	k.mu.Lock()
	defer k.mu.Unlock()
	var missing []Range
	var sets [][]*musig.PublicKey
	for _, r := range distinct(nodes, stocks) {
		if k.plain[r] == nil {
			missing, sets = append(missing, r), append(sets, k.signers(r))
		}
	}
	keys, err := musig.AggregateAll(sets)
	if err != nil {
		return
	}
	for i, key := range keys {
		k.plain[missing[i]] = key
	}
	k.tweak(k.nodes, nodes, nil, false)
	k.tweak(k.stocks, stocks, k.stockRoot(), true)
}

// aggregatesItsOwnWay reports whether this is a mutant that does.
func (k *keyring) aggregatesItsOwnWay() bool {
	return !k.rules.On(rule.SCRIPT001) || !k.rules.On(rule.SIGN001) || !k.rules.On(rule.SCRIPT006)
}

// keySets lists whose keys a tree in this view aggregates: for outputs that its
// transactions spend, then for stock outputs. The order is that of SIGN-021.
func keySets(l *Layout, view View) (nodes, stocks []Range) {
	nodes = []Range{l.Range(NodeID{})}
	for _, id := range l.Nodes() {
		if !view.Sees(l.Range(id)) {
			continue
		}
		for _, child := range l.Children(id) {
			nodes = append(nodes, l.Range(child))
		}
		stocks = append(stocks, l.Groups(id)...)
	}

	return nodes, stocks
}

// distinct joins lists, without what came before.
func distinct(lists ...[]Range) []Range {
	var out []Range
	seen := make(map[Range]bool)
	for _, r := range slices.Concat(lists...) {
		if !seen[r] {
			seen[r] = true
			out = append(out, r)
		}
	}

	return out
}

// tweak fills in the output keys that are missing, at once. The lock is held.
func (k *keyring) tweak(cache map[Range]*musig.KeyAgg, ranges []Range, root []byte, stock bool) {
	var missing []Range
	var plain []*musig.KeyAgg
	for _, r := range distinct(ranges) {
		if cache[r] == nil {
			missing, plain = append(missing, r), append(plain, k.plain[r])
		}
	}
	keys, err := musig.TaprootAll(plain, root)
	if err != nil {
		return
	}
	for i, key := range keys {
		cache[missing[i]], k.uses[key.OutputKey()] = key, use{missing[i], stock}
	}
}

// useOf says what an output key that was computed here is for.
func (k *keyring) useOf(key [32]byte) (use, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	u, ok := k.uses[key]

	return u, ok
}

// aggregate is called with the lock held.
func (k *keyring) aggregate(r Range) (*musig.KeyAgg, error) {
	if key, ok := k.plain[r]; ok {
		return key, nil
	}
	keys, how := k.signers(r), musig.Aggregate
	switch {
	case !k.rules.On(rule.SCRIPT001), !k.rules.On(rule.SIGN001): // a mutant leaves the keys as they come
		how = musig.AggregateUnsorted
	case !k.rules.On(rule.SCRIPT006): // equal keys pass
		keys, how = musig.Sort(keys), musig.AggregateUnsorted
	}
	key, err := how(keys)
	if err == nil {
		k.plain[r] = key
	}

	return key, err
}

// StockOutput returns a stock output as it stands in its transaction: value in
// sat and script (SCRIPT-002).
func (f *Factory) StockOutput(s *Stock) (wire.TxOut, error) {
	key, err := f.StockKey(s.Owners)
	if err != nil {
		return wire.TxOut{}, err
	}

	return wire.TxOut{Value: int64(s.Value), PkScript: nodeScript(key)}, nil
}
