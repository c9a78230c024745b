package gen

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

// Keys of the factories of all vectors: the i-th of a role is always the same.

type keyName struct {
	role string
	i    int
}

var publicKeys sync.Map // of keyName

func secretKey(role string, i int) *btcec.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "superscalar vectors key %s %d", role, i))
	return secp256k1.PrivKeyFromBytes(seed[:])
}

func publicKey(role string, i int) vectors.Hex {
	if key, ok := publicKeys.Load(keyName{role, i}); ok {
		return key.(vectors.Hex)
	}
	key := vectors.Hex(secretKey(role, i).PubKey().SerializeCompressed())
	publicKeys.Store(keyName{role, i}, key)
	return key
}

func publicKeysOf(role string, n int) []vectors.Hex {
	var out []vectors.Hex
	for i := range n {
		out = append(out, publicKey(role, i))
	}
	return out
}

// shapeOf reads a shape of this package, "static 8 / kickoff 1 / ps 4".
func shapeOf(text string) vectors.Shape {
	s, err := factory.ParseShape(text)
	if err != nil {
		panic(fmt.Sprintf("a shape of this package: %v", err))
	}
	out := vectors.Shape{Leaf: uint8(s.Leaf)}
	for _, l := range s.Levels {
		out.Levels = append(out.Levels, vectors.Level{Kind: uint8(l.Kind), Arity: l.Arity})
	}
	return out
}

func factoryShape(s vectors.Shape) factory.Shape {
	out := factory.Shape{Leaf: factory.LeafKind(s.Leaf)}
	for _, l := range s.Levels {
		out.Levels = append(out.Levels, factory.Level{Kind: factory.Kind(l.Kind), Arity: l.Arity})
	}
	return out
}

// stateLevels counts the levels that delay.
func stateLevels(s vectors.Shape) int {
	n := 0
	for _, l := range s.Levels {
		if l.Kind == 2 {
			n++
		}
	}
	return n
}

// defaultParameters are those of section 4.1, with fewer and shorter steps for
// two layers of states; the heights are computed here and not by the factory.
func defaultParameters(s vectors.Shape) vectors.Parameters {
	p := vectors.Parameters{
		Step: 144, States: 4, ConfirmBlocks: 12, MaxChain: 4, StockCSV: 144, OmissionDelay: 72, ToSelfDelay: 720,
		Margin: 144, MaxFundingWait: 144, Active: 4320, Dying: 432, TipHeight: 900_000,
	}
	if s.Leaf == 1 {
		p.MaxChain = 0
	}
	if stateLevels(s) > 1 {
		p.Step, p.States = 96, 3
	}
	return withExpiry(p, s)
}

// withExpiry sets the expiry of DELAY-005.
func withExpiry(p vectors.Parameters, s vectors.Shape) vectors.Parameters {
	_, exit := delays(p, s)
	p.Expiry = p.TipHeight + uint32(p.MaxFundingWait) + uint32(p.Active) + uint32(p.Dying) + exit
	return p
}

// delays computes the early warning time (DELAY-004) and the exit time
// (DELAY-005).
func delays(p vectors.Parameters, s vectors.Shape) (warning, exit uint32) {
	confirm := uint32(p.ConfirmBlocks)
	warning = uint32(p.Step)*uint32(p.States-1)*uint32(stateLevels(s)) + confirm*(uint32(len(s.Levels))+uint32(p.MaxChain))
	return warning, warning + confirm + uint32(p.StockCSV) + confirm + uint32(p.Margin)
}

func factoryParams(p vectors.Parameters) factory.Params {
	return factory.Params{
		Step: p.Step, States: p.States, ConfirmBlocks: p.ConfirmBlocks, MaxChain: p.MaxChain, StockCSV: p.StockCSV,
		OmissionDelay: p.OmissionDelay, ToSelfDelay: p.ToSelfDelay, Margin: p.Margin, MaxFundingWait: p.MaxFundingWait,
		Active: p.Active, Dying: p.Dying, TipHeight: factory.Height(p.TipHeight), Expiry: factory.Height(p.Expiry),
	}
}

func factoryChain(name string) (factory.Chain, error) {
	switch name {
	case "mainnet":
		return factory.Mainnet, nil
	case "other":
		return factory.Other, nil
	}
	return 0, fmt.Errorf("no chain %q", name)
}

// termsOf are the terms for n clients, with uneven amounts. groups is the
// number of stocks.
func termsOf(n, groups int, shape string) vectors.Terms {
	s := shapeOf(shape)
	t := vectors.Terms{
		Chain: "mainnet", Parameters: defaultParameters(s), Shape: s,
		LSPKey: publicKey("lsp", 0), Keys: publicKeysOf("client", n),
		ChannelKeys: publicKeysOf("channel", n), LSPChannelKey: publicKey("lsp channel", 0),
	}
	for i := range n {
		t.Capacities = append(t.Capacities, vectors.Uint(20_000+37*i))
		t.PayoutKeys = append(t.PayoutKeys, publicKey("payout", i)[1:])
	}
	for i := range groups {
		t.Stocks = append(t.Stocks, vectors.Uint(100_001+59*i))
	}
	return t
}

// fundingOutpoint is that of all vectors.
func fundingOutpoint() (txid vectors.Hex, output vectors.Uint) {
	h := sha256.Sum256([]byte("superscalar vectors funding"))
	return h[:], 1
}

func outpointOf(txid vectors.Hex, output vectors.Uint) (btcwire.OutPoint, error) {
	if len(txid) != chainhash.HashSize {
		return btcwire.OutPoint{}, fmt.Errorf("txid of %d bytes", len(txid))
	}
	return btcwire.OutPoint{Hash: chainhash.Hash(txid), Index: uint32(output)}, nil
}

// parsed caches points: the factories of the vectors share their keys.
var parsed sync.Map // of [33]byte

func parseKey(b vectors.Hex) (*musig.PublicKey, error) {
	if len(b) != musig.PublicKeySize {
		return nil, fmt.Errorf("key of %d bytes", len(b))
	}
	if key, ok := parsed.Load([33]byte(b)); ok {
		return key.(*musig.PublicKey), nil
	}
	key, err := musig.ParsePublicKey(b)
	if err == nil {
		parsed.Store([33]byte(b), key)
	}
	return key, err
}

func parseKeys(list []vectors.Hex) ([]*musig.PublicKey, error) {
	out := make([]*musig.PublicKey, len(list))
	for i, b := range list {
		key, err := parseKey(b)
		if err != nil {
			return nil, err
		}
		out[i] = key
	}
	return out, nil
}

var channels sync.Map // factory.Channel by [2][33]byte, of all vectors

// channelOf returns the channel of two keys.
func channelOf(a, b vectors.Hex) (factory.Channel, error) {
	if len(a) != 33 || len(b) != 33 {
		return factory.Channel{}, fmt.Errorf("channel keys of %d and %d bytes", len(a), len(b))
	}
	keys := [2][33]byte{[33]byte(a), [33]byte(b)}
	if known, ok := channels.Load(keys); ok {
		return known.(factory.Channel), nil
	}
	made, err := factory.NewChannel(keys[0], keys[1])
	if err == nil {
		channels.Store(keys, made)
	}
	return made, err
}

// treeCache keeps the trees of one run: many vectors start from the same one,
// and a tree never changes. The nil cache keeps nothing.
type treeCache struct {
	mu    sync.Mutex
	trees map[[32]byte]*factory.Tree
	// factories are those of scripts; they never change either.
	factories map[[32]byte]*factory.Factory
}

func newTreeCache() *treeCache {
	return &treeCache{trees: map[[32]byte]*factory.Tree{}, factories: map[[32]byte]*factory.Factory{}}
}

// build makes the tree of a vector's terms, for the LSP or for the client named.
func (r runner) build(t vectors.Terms, txid vectors.Hex, output vectors.Uint) (*factory.Tree, error) {
	if r.cache == nil || len(t.Keys) > small {
		return r.buildNew(t, txid, output)
	}
	b, err := json.Marshal([]any{t, txid, output})
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(b)
	r.cache.mu.Lock()
	tree, ok := r.cache.trees[key]
	r.cache.mu.Unlock()
	if ok {
		return tree, nil
	}
	if tree, err = r.buildNew(t, txid, output); err == nil {
		r.cache.mu.Lock()
		r.cache.trees[key] = tree
		r.cache.mu.Unlock()
	}
	return tree, err
}

func (r runner) buildNew(t vectors.Terms, txid vectors.Hex, output vectors.Uint) (*factory.Tree, error) {
	funding, err := outpointOf(txid, output)
	if err != nil {
		return nil, err
	}
	terms, view, err := factoryTerms(t)
	if err != nil {
		return nil, err
	}
	f, err := factory.New(terms, r.rules)
	if err != nil {
		return nil, err
	}
	return f.Build(funding, view)
}

func factoryTerms(t vectors.Terms) (out factory.Terms, view factory.View, err error) {
	if out.Chain, err = factoryChain(t.Chain); err != nil {
		return out, view, err
	}
	out.Params, out.Shape = factoryParams(t.Parameters), factoryShape(t.Shape)
	if out.LSP, err = parseKey(t.LSPKey); err != nil {
		return out, view, err
	}
	if out.Keys, err = parseKeys(t.Keys); err != nil {
		return out, view, err
	}
	view, out.Amounts.Region = factory.Whole(), factory.Range{Count: uint16(len(t.Keys))}
	if t.Client != nil {
		c := factory.ClientIndex(*t.Client)
		l, err := factory.NewLayout(len(t.Keys), out.Shape, rule.Set{})
		if err != nil {
			return out, view, err
		}
		region, _ := l.Region(c)
		leaf, ok := l.Leaf(c)
		if !ok {
			return out, view, fmt.Errorf("no client %d", c)
		}
		view, out.Amounts.Region, out.ChannelsFirst = factory.PathOf(c), l.Range(region), l.Range(leaf).First
	}
	for _, list := range t.Sums {
		out.Amounts.Sums = append(out.Amounts.Sums, sats(list))
	}
	out.Amounts.Capacities, out.Amounts.Stocks = sats(t.Capacities), sats(t.Stocks)
	for _, key := range t.PayoutKeys {
		if len(key) != 32 {
			return out, view, fmt.Errorf("payout key of %d bytes", len(key))
		}
		out.Payouts = append(out.Payouts, [32]byte(key))
	}
	out.Channels, err = channelsOf(t.ChannelKeys, t.LSPChannelKey)
	return out, view, err
}

func channelsOf(keys []vectors.Hex, lsp vectors.Hex) ([]factory.Channel, error) {
	var out []factory.Channel
	for _, key := range keys {
		c, err := channelOf(key, lsp)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func sats(list []vectors.Uint) []factory.Sat {
	out := make([]factory.Sat, len(list))
	for i, v := range list {
		out[i] = factory.Sat(v)
	}
	return out
}

// refusal compares the error of package factory with the one a vector asks
// for; it returns true when the vector goes on.
func refusal(v vectors.Vector, err error) (goOn bool, mismatch error) {
	want := v.Fails()
	planned := want != nil && want.Kind == "refused"
	switch {
	case err == nil && planned:
		return false, fmt.Errorf("accepted, want refused by %s", want.Rule)
	case err == nil:
		return true, nil
	case !planned:
		return false, fmt.Errorf("refused with %q", err)
	}
	id, ok := factory.RuleOf(err)
	if !ok || id != want.Rule {
		return false, fmt.Errorf("refused with %q, want %s", err, want.Rule)
	}
	if field := strings.ReplaceAll(factoryField(err), " ", "_"); field != want.Field {
		return false, fmt.Errorf("refused for %s, want %s", field, want.Field)
	}
	return false, nil
}
