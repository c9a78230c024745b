package wallet

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// stateVersion is the version of the saved form.
const stateVersion = 1

// maxIndex bounds key indexes read from a saved state, so that a damaged one is not taken for millions of addresses.
const maxIndex = 1 << 20

// keepSpent is for how many blocks a spent coin is remembered. A reorganisation that is deeper does not bring it back; make the
// wallet anew from its birthday then.
const keepSpent = 2_016

// outpoint is a wire.OutPoint that is written as text, so that it can be the key of a JSON object.
type outpoint wire.OutPoint

// MarshalText implements encoding.TextMarshaler.
func (o outpoint) MarshalText() ([]byte, error) { return []byte(wire.OutPoint(o).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *outpoint) UnmarshalText(text []byte) error {
	parsed, err := wire.NewOutPointFromString(string(text))
	if err != nil {
		return err
	}
	*o = outpoint(*parsed)
	return nil
}

func compareOutpoints(a, b wire.OutPoint) int {
	return cmp.Or(bytes.Compare(a.Hash[:], b.Hash[:]), cmp.Compare(a.Index, b.Index))
}

// record is what the state knows of a coin.
type record struct {
	Value    btcutil.Amount `json:"value"`
	Index    uint32         `json:"index"`
	Block    chain.BlockID  `json:"block"`
	Coinbase bool           `json:"coinbase,omitempty"`
	SpentIn  *chain.BlockID `json:"spent_in,omitempty"` // shared by copies: never changed in place
}

// state is everything that a wallet must not forget.
type state struct {
	Version  int                 `json:"version"`
	Tip      chain.BlockID       `json:"tip"`
	Next     uint32              `json:"next"` // index of the next fresh script
	Coins    map[outpoint]record `json:"coins"`
	Reserved map[outpoint]string `json:"reserved"` // outlives the coin: a reorganisation may bring it back
}

func newState(tip chain.BlockID) *state {
	return &state{Version: stateVersion, Tip: tip, Coins: map[outpoint]record{}, Reserved: map[outpoint]string{}}
}

func (s *state) clone() *state {
	c := *s
	c.Coins, c.Reserved = maps.Clone(s.Coins), maps.Clone(s.Reserved)
	return &c
}

func decodeState(raw []byte) (*state, error) {
	s := newState(chain.BlockID{})
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", ErrState, s.Version, stateVersion)
	}
	if s.Coins == nil || s.Reserved == nil || s.Next > maxIndex {
		return nil, fmt.Errorf("%w: incomplete", ErrState)
	}
	for o, r := range s.Coins {
		if r.Value < 0 || r.Value > btcutil.MaxSatoshi || r.Index >= s.Next {
			return nil, fmt.Errorf("%w: coin %v", ErrState, wire.OutPoint(o))
		}
	}
	return s, nil
}

// reserve keeps coins for an id.
func (s *state) reserve(id string, coins ...Coin) error {
	for _, coin := range coins {
		o := outpoint(coin.Outpoint)
		if owner := s.Reserved[o]; owner != "" {
			return fmt.Errorf("%w: coin %v is for %s", ErrReserved, coin.Outpoint, owner)
		}
		s.Reserved[o] = id
	}
	return nil
}

// connect applies a block on the tip.
func (w *Wallet) connect(s *state, block chain.Block) error {
	if block.Previous != s.Tip.Hash {
		return fmt.Errorf("%w: block %d, %v, is not on block %d, %v", ErrChain, block.Height, block.Hash, s.Tip.Height, s.Tip.Hash)
	}
	for _, tx := range block.Transactions {
		s.spend(tx, block.BlockID)
		if err := w.receive(s, tx, block.BlockID); err != nil {
			return err
		}
	}
	s.Tip = block.BlockID
	return nil
}

// spend marks coins that a transaction spends.
func (s *state) spend(tx *wire.MsgTx, block chain.BlockID) {
	for _, in := range tx.TxIn {
		o := outpoint(in.PreviousOutPoint)
		if r, found := s.Coins[o]; found {
			r.SpentIn = &block
			s.Coins[o] = r
		}
	}
}

// receive adds the coins that a transaction makes.
func (w *Wallet) receive(s *state, tx *wire.MsgTx, block chain.BlockID) error {
	var txid *chainhash.Hash
	for i, out := range tx.TxOut {
		index, ours := w.indexes[string(out.PkScript)]
		if !ours {
			continue
		}
		if index >= s.Next { // given out before a restart without a saved state
			s.Next = index + 1
			if err := w.watch(s.Next); err != nil {
				return err
			}
		}
		if txid == nil {
			hash := tx.TxHash()
			txid = &hash
		}
		s.Coins[outpoint{Hash: *txid, Index: uint32(i)}] = record{Value: btcutil.Amount(out.Value), Index: index, Block: block,
			Coinbase: blockchain.IsCoinBaseTx(tx)}
	}
	return nil
}

// disconnect undoes the block that is the tip.
func (s *state) disconnect(block chain.Block) error {
	if block.BlockID != s.Tip {
		return fmt.Errorf("%w: block %d, %v, is undone, but the tip is block %d, %v", ErrChain, block.Height, block.Hash,
			s.Tip.Height, s.Tip.Hash)
	}
	if block.Height == 0 {
		return fmt.Errorf("%w: the genesis block is undone", ErrChain)
	}
	for _, tx := range slices.Backward(block.Transactions) {
		if txid := tx.TxHash(); len(s.Coins) > 0 {
			for i := range tx.TxOut {
				delete(s.Coins, outpoint{Hash: txid, Index: uint32(i)})
			}
		}
		for _, in := range tx.TxIn {
			o := outpoint(in.PreviousOutPoint)
			if r, found := s.Coins[o]; found {
				r.SpentIn = nil
				s.Coins[o] = r
			}
		}
	}
	s.Tip = chain.BlockID{Height: block.Height - 1, Hash: block.Previous}
	return nil
}

// prune forgets coins that were spent long ago, and that they were reserved.
func (s *state) prune() {
	for o, r := range s.Coins {
		if r.SpentIn != nil && r.SpentIn.Height+keepSpent < s.Tip.Height {
			delete(s.Coins, o)
			delete(s.Reserved, o)
		}
	}
}
