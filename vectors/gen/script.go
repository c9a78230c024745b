package gen

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

// factoryField is the field that an error of package factory names.
func factoryField(err error) string {
	var e *factory.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Field
}

func scripts() (vectors.File, error) {
	f := file("SCRIPT", "script", "SPEC.md 4.3; BIP-327, BIP-341, BIP-380, BIP-390",
		"The output over these keys has this script; bad: script is one that the rule forbids, or the keys are refused. factory_keys stand in client order. aggregate_key is the BIP-327 aggregate before any tweak. The parameters of stock outputs are those of chains other than mainnet.")
	for _, n := range []int{1, 2, 3, 5, 16, 64} {
		v := &vectors.Script{Head: head(fmt.Sprintf("script-node-%d", n), rule.SCRIPT001, rule.SIGN001, rule.SCRIPT006), Output: "node",
			LSPKey: publicKey("lsp", n), Keys: publicKeysOf(fmt.Sprintf("node %d", n), n)}
		f.Vectors = append(f.Vectors, v)
	}
	for i, csv := range []vectors.Uint{4, 16, 17, 127, 128, 144, 255, 256, 1008} {
		v := &vectors.Script{Head: head(fmt.Sprintf("script-stock-%d", csv), rule.SCRIPT002, rule.SIGN001), Output: "stock",
			LSPKey: publicKey("lsp", i), Keys: publicKeysOf(fmt.Sprintf("stock %d", i), 1+i%4), StockCSV: csv}
		f.Vectors = append(f.Vectors, v)
	}
	for i := range 3 {
		f.Vectors = append(f.Vectors,
			&vectors.Script{Head: head(fmt.Sprintf("script-channel-%d", i), rule.SCRIPT003), Output: "channel",
				ChannelKeys: []vectors.Hex{publicKey("channel", i), publicKey("lsp channel", i)}},
			&vectors.Script{Head: head(fmt.Sprintf("script-payout-%d", i), rule.SCRIPT005), Output: "payout", PayoutKey: publicKey("payout", i)[1:]})
	}
	f.Vectors = append(f.Vectors, &vectors.Script{Head: head("script-anchor", rule.SCRIPT004), Output: "anchor"})
	for i, v := range f.Vectors {
		filled, err := runner{}.computeScript(v.(*vectors.Script))
		if err != nil {
			return f, err
		}
		f.Vectors[i] = filled
	}
	good := slices.Clone(f.Vectors)
	for _, v := range good {
		bad, err := wrongScripts(v.(*vectors.Script))
		if err != nil {
			return f, err
		}
		f.Vectors = append(f.Vectors, bad...)
	}
	f.Vectors = append(f.Vectors, refusedKeys()...)
	return f, nil
}

// scriptFactory is a factory of one leaf over the keys of a vector. A wrong
// script has the same keys as the right one.
func (r runner) scriptFactory(v *vectors.Script) (*factory.Factory, error) {
	if r.cache == nil {
		return r.newScriptFactory(v)
	}
	b, err := json.Marshal([]any{v.LSPKey, v.Keys, v.StockCSV, v.PayoutKey})
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(b)
	r.cache.mu.Lock()
	f, ok := r.cache.factories[key]
	r.cache.mu.Unlock()
	if ok {
		return f, nil
	}
	if f, err = r.newScriptFactory(v); err == nil {
		r.cache.mu.Lock()
		r.cache.factories[key] = f
		r.cache.mu.Unlock()
	}
	return f, err
}

func (r runner) newScriptFactory(v *vectors.Script) (*factory.Factory, error) {
	n := max(len(v.Keys), 1)
	t := termsOf(n, 1, fmt.Sprintf("kickoff 1 / dw %d", n))
	t.Chain = "other"
	if v.StockCSV != 0 {
		// Short enough for every stock_csv of a vector.
		t.Parameters.Step, t.Parameters.ConfirmBlocks, t.Parameters.OmissionDelay = 2, 1, 2
		t.Parameters.StockCSV = uint16(v.StockCSV)
	}
	t.Parameters = withExpiry(t.Parameters, t.Shape)
	if v.Keys != nil {
		t.LSPKey, t.Keys = v.LSPKey, v.Keys
	}
	if v.PayoutKey != nil {
		t.PayoutKeys[0] = v.PayoutKey
	}
	terms, _, err := factoryTerms(t)
	if err != nil {
		return nil, err
	}
	return factory.New(terms, r.rules)
}

// computeScript returns the vector with everything about its output.
func (r runner) computeScript(in *vectors.Script) (*vectors.Script, error) {
	v := &vectors.Script{Head: in.Head, Output: in.Output, LSPKey: in.LSPKey, Keys: in.Keys, StockCSV: in.StockCSV,
		ChannelKeys: in.ChannelKeys, PayoutKey: in.PayoutKey}
	if v.Output == "channel" {
		if len(v.ChannelKeys) != 2 {
			return nil, fmt.Errorf("%d channel keys", len(v.ChannelKeys))
		}
		c, err := channelOf(v.ChannelKeys[0], v.ChannelKeys[1])
		v.Script, v.WitnessScript, v.Descriptor = c.Script[:], c.WitnessScript(), factory.ChannelDescriptor(c)
		return v, err
	}
	f, err := r.scriptFactory(v)
	if err != nil {
		return nil, err
	}
	all := factory.Range{Count: uint16(len(v.Keys))}
	switch v.Output {
	case "node":
		v.Descriptor = f.NodeDescriptor(all)
		key, err := f.NodeKey(all)
		return v, fillKey(v, key, err)
	case "stock":
		v.Descriptor = f.StockDescriptor(all)
		key, err := f.StockKey(all)
		if err := fillKey(v, key, err); err != nil {
			return nil, err
		}
		v.LeafScript, v.ControlBlock, err = f.StockClaim(all)
		hash := txscript.NewBaseTapLeaf(v.LeafScript).TapHash()
		v.LeafHash = hash[:]
		return v, err
	}
	return v, fillFromTree(v, f)
}

// fillKey writes an aggregate key into the vector.
func fillKey(v *vectors.Script, key *musig.KeyAgg, err error) error {
	if err != nil {
		return err
	}
	plain, err := plainAggregate(key)
	internal, output := key.InternalKey(), key.OutputKey()
	v.AggregateKey, v.InternalKey, v.OutputKey = plain, internal[:], output[:]
	v.Script = taproot(output[:])
	return err
}

// plainAggregate is the aggregate of the signers of a key without a tweak.
func plainAggregate(key *musig.KeyAgg) (vectors.Hex, error) {
	var keys []*musig.PublicKey
	for i := range key.Size() {
		signer, _ := key.Signer(i)
		keys = append(keys, signer)
	}
	agg, err := musig.AggregateUnsorted(musig.Sort(keys))
	if err != nil {
		return nil, err
	}
	plain := agg.PlainKey()
	return plain[:], nil
}

func taproot(key []byte) vectors.Hex { return append([]byte{0x51, 0x20}, key...) }

// fillFromTree reads payout and anchor from a distribution.
func fillFromTree(v *vectors.Script, f *factory.Factory) error {
	outpoint, err := outpointOf(fundingOutpoint())
	if err != nil {
		return err
	}
	tree, err := f.Build(outpoint, factory.Whole())
	if err != nil {
		return err
	}
	root, _ := tree.Node(factory.NodeID{})
	outputs := root.Distribution.Msg.TxOut
	if v.Output == "payout" {
		v.OutputKey, v.Script, v.Descriptor = v.PayoutKey, outputs[0].PkScript, factory.PayoutDescriptor([32]byte(v.PayoutKey))
		return nil
	}
	v.Script, v.Descriptor = outputs[len(outputs)-1].PkScript, factory.AnchorDescriptor()
	return nil
}

// wrongScripts are scripts that look like the right one.
func wrongScripts(v *vectors.Script) ([]vectors.Vector, error) {
	var out []vectors.Vector
	bad := func(name string, script []byte, id rule.ID) {
		out = append(out, &vectors.Script{Head: head(v.Name+"-"+name, id), Output: v.Output, LSPKey: v.LSPKey, Keys: v.Keys,
			StockCSV: v.StockCSV, ChannelKeys: v.ChannelKeys, PayoutKey: v.PayoutKey, Script: script,
			Outcome: fault("wrong-script", "script", -1, id)})
	}
	tweak := func(key, root []byte) []byte {
		p, err := schnorr.ParsePubKey(key)
		if err != nil {
			panic(fmt.Sprintf("a key of this package: %v", err))
		}
		return taproot(schnorr.SerializePubKey(txscript.ComputeTaprootOutputKey(p, root)))
	}
	switch v.Output {
	case "node", "stock":
		id := rule.SCRIPT001
		if v.Output == "stock" {
			id = rule.SCRIPT002
		}
		keys, err := parseKeys(append(slices.Clone(v.Keys), v.LSPKey))
		if err != nil {
			return nil, err
		}
		unsorted, err := musig.AggregateUnsorted(keys)
		if err != nil {
			return nil, err
		}
		key := unsorted.OutputKey()
		root := []byte(v.LeafHash)
		if script := tweak(key[:], root); !bytes.Equal(script, v.Script) {
			bad("keys-not-sorted", script, rule.SIGN001)
			out[0].(*vectors.Script).Rules = []rule.ID{rule.SIGN001, id}
		}
		bad("not-tweaked", taproot(v.InternalKey), id)
		if v.Output == "stock" {
			bad("no-leaf", tweak(v.InternalKey, nil), id)
			bad("csv-off-by-one", tweak(v.InternalKey, leafOf(v.LSPKey[1:], int64(v.StockCSV)+1)), id)
			bad("key-of-client", tweak(v.InternalKey, leafOf(v.Keys[0][1:], int64(v.StockCSV))), id)
		} else {
			bad("tweaked-with-zeros", tweak(v.InternalKey, make([]byte, 32)), id)
		}
	case "channel":
		sorted := slices.SortedFunc(slices.Values(v.ChannelKeys), func(a, b vectors.Hex) int { return bytes.Compare(b, a) })
		bad("keys-descending", witnessProgram(multisig(2, sorted)), rule.SCRIPT003)
		bad("one-of-two", witnessProgram(multisig(1, []vectors.Hex{sorted[1], sorted[0]})), rule.SCRIPT003)
	case "payout":
		bad("tweaked", tweak(v.PayoutKey, nil), rule.SCRIPT005)
	case "anchor":
		bad("other-program", unhex("51024e74"), rule.SCRIPT004)
		bad("version-0", unhex("00024e73"), rule.SCRIPT004)
	}
	return out, nil
}

// leafOf is the hash of <key> OP_CHECKSIGVERIFY <csv> OP_CHECKSEQUENCEVERIFY.
func leafOf(key []byte, csv int64) []byte {
	script, err := txscript.NewScriptBuilder().AddData(key).AddOp(txscript.OP_CHECKSIGVERIFY).
		AddInt64(csv).AddOp(txscript.OP_CHECKSEQUENCEVERIFY).Script()
	if err != nil {
		panic(fmt.Sprintf("a script of this package: %v", err))
	}
	hash := txscript.NewBaseTapLeaf(script).TapHash()
	return hash[:]
}

func multisig(needed int64, keys []vectors.Hex) []byte {
	script, err := txscript.NewScriptBuilder().AddInt64(needed).AddData(keys[0]).AddData(keys[1]).
		AddInt64(2).AddOp(txscript.OP_CHECKMULTISIG).Script()
	if err != nil {
		panic(fmt.Sprintf("a script of this package: %v", err))
	}
	return script
}

func witnessProgram(script []byte) []byte {
	hash := sha256.Sum256(script)
	return append([]byte{0, 32}, hash[:]...)
}

// refusedKeys have a key twice.
func refusedKeys() []vectors.Vector {
	var out []vectors.Vector
	for _, c := range []struct {
		name string
		keys []vectors.Hex
	}{
		{"client-twice", append(publicKeysOf("node 3", 3), publicKey("node 3", 0))},
		{"client-is-lsp", append(publicKeysOf("node 3", 2), publicKey("lsp", 3))},
		{"neighbours", []vectors.Hex{publicKey("node 3", 1), publicKey("node 3", 1)}},
	} {
		out = append(out, &vectors.Script{Head: head("script-node-"+c.name, rule.SCRIPT006), Output: "node", LSPKey: publicKey("lsp", 3), Keys: c.keys,
			Outcome: fault("refused", "factory_keys", -1, rule.SCRIPT006)})
	}
	return out
}

func (r runner) script(v *vectors.Script) error {
	got, err := r.computeScript(v)
	goOn, mismatch := refusal(v, err)
	if !goOn {
		return mismatch
	}
	if v.Error != nil {
		if bytes.Equal(got.Script, v.Script) {
			return fmt.Errorf("script %x is the right one, want %s", v.Script, v.Error.Kind)
		}
		if v.Error.Kind != "wrong-script" || v.Error.Field != "script" {
			return fmt.Errorf("a wrong script, want %s at %s", v.Error.Kind, v.Error.Field)
		}
		return nil
	}
	if got.Descriptor != v.Descriptor {
		return fmt.Errorf("descriptor is %s, want %s", got.Descriptor, v.Descriptor)
	}
	for _, c := range []struct {
		what      string
		got, want vectors.Hex
	}{
		{"aggregate_key", got.AggregateKey, v.AggregateKey}, {"internal_key", got.InternalKey, v.InternalKey},
		{"output_key", got.OutputKey, v.OutputKey}, {"leaf_script", got.LeafScript, v.LeafScript},
		{"leaf_hash", got.LeafHash, v.LeafHash}, {"control_block", got.ControlBlock, v.ControlBlock},
		{"witness_script", got.WitnessScript, v.WitnessScript}, {"script", got.Script, v.Script},
	} {
		if err := sameBytes(c.what, c.got, c.want); err != nil {
			return err
		}
	}
	return nil
}
