package gen

import (
	"errors"
	"fmt"

	"superscalar/refnode/factory"
	"superscalar/refnode/leaves"
	"superscalar/refnode/payment"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

const ownExitComment = "A client has channels in a factory of these parameters, and no transaction of its path is on the chain. cover is what it gets at T wherever publication stops (SPEC.md 6.1), in sat. At height it waits for its LSP, or (kind leaves) starts its own way out."

// ownExits are comparisons of a height with T - exit_time + confirm_blocks, and of what a
// client has with its cover (CHG-029).
func ownExits() (vectors.File, error) {
	f := file("CHAN", "own_exit", "SPEC.md 8.4 (CHG-029), 6.1 and 4.5", ownExitComment)
	held := func(msat ...vectors.Uint) []vectors.HeldMsat { // own, incoming, own, ...
		var out []vectors.HeldMsat
		for i := 0; i < len(msat); i += 2 {
			out = append(out, vectors.HeldMsat{Own: msat[i], Incoming: msat[i+1]})
		}
		return out
	}
	for _, c := range []struct {
		name, shape string
		after       int // blocks after T - exit_time + confirm_blocks
		held        []vectors.HeldMsat
		cover       vectors.Uint
		leaves      bool
	}{
		{"one block before", dwPair, -1, held(20_001_000, 0), 20_000, false},
		{"at exit_time", dwPair, -12, held(900_000_000, 0), 20_000, false},
		{"as much as its cover", dwPair, 0, held(20_000_000, 0), 20_000, false},
		{"as much as its cover with htlcs", dwPair, 500, held(15_000_000, 5_000_000), 20_000, false},
		{"nothing", psLeaf, 0, held(0, 0), 0, false},
		{"less in two channels", psLeaf, 12, held(9_000_000, 1_000, 10_000_000, 998_999), 20_000, false},

		{"one msat more", dwPair, 0, held(20_000_001, 0), 20_000, true},
		{"one msat more with htlcs", dwPair, 0, held(15_000_000, 5_000_001), 20_000, true},
		{"one msat more in two channels", psLeaf, 0, held(9_000_000, 1_000, 10_000_000, 999_001), 20_000, true},
		{"htlcs alone", psLeaf, 0, held(0, 1), 0, true},
		{"later", dwLayers, 100, held(21_000_000, 0), 20_000, true},
		{"at T", dwLayers, 1_000, held(21_000_000, 0), 20_000, true},
	} {
		shape := shapeOf(c.shape)
		v := &vectors.OwnExit{Head: head(slug("own-exit", c.name), rule.CHG029), Parameters: defaultParameters(shape), Shape: shape, Channels: c.held, Cover: c.cover}
		p := v.Parameters
		levels, states := len(shape.Levels), stateLevels(shape)
		warning := int(p.Step)*(int(p.States)-1)*states + int(p.ConfirmBlocks)*(levels+int(p.MaxChain))
		exit := warning + 2*int(p.ConfirmBlocks) + int(p.StockCSV) + int(p.Margin)
		v.Height = uint32(int(p.Expiry) - exit + int(p.ConfirmBlocks) + c.after)
		if c.leaves {
			v.Outcome = blame("lsp", "leaves", "channels", -1, rule.CHG029)
		} else {
			yes := true
			v.Waits = &yes
		}
		f.Vectors = append(f.Vectors, v)
	}
	return f, nil
}

func (r runner) ownExit(v *vectors.OwnExit) error {
	terms := factory.Terms{Params: factoryParams(v.Parameters), Shape: factoryShape(v.Shape)}
	if err := terms.Shape.Check(rule.Set{}); err != nil {
		return err
	}
	has := payment.Msat(0)
	for _, c := range v.Channels {
		has += payment.Msat(c.Own) + payment.Msat(c.Incoming)
	}
	out := leaves.Beyond(terms, factory.Height(v.Height), has, factory.Sat(v.Cover), r.rules)
	switch {
	case out && v.Error == nil:
		return errors.New("it leaves")
	case v.Error != nil && (!out || v.Error.Kind != "leaves"):
		return fmt.Errorf("it leaves: %v, want that it %s", out, v.Error.Kind)
	}
	return nil
}

func ownExitSchema() object {
	return schema("own_exit", "Whether a client waits for its LSP", object{
		"parameters": parametersObject(), "shape": shapeObject(), "height": upTo(1<<32 - 1), "cover": about("Sat.", ref("uint")),
		"channels": object{"type": "array", "minItems": 1, "items": closed(object{"own_msat": ref("uint"), "incoming_msat": about("HTLCs towards the client.", ref("uint"))})},
	}, object{"waits": object{"const": true}}, nil, nil)
}
