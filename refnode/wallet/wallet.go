// Package wallet is a small on-chain wallet: an LSP funds factories with it, and anybody pays with it for the children that carry
// factory transactions into a block (SPEC.md 4.4, 11).
//
// It promises to spend only its own, confirmed, mature coins, each for one purpose at a time (a reservation, kept until it is
// released, across restarts and reorganisations); to pay the fee rate it was asked for; to leave no dust; and to say how much is
// missing when coins do not suffice. Its coins follow from the blocks it was given and from nothing else: reorganisations undo.
//
// It has single-key taproot outputs only (BIP 86), so the txid of what it funds is final before anything is signed. It holds no
// seed (KeyFunc has it), submits nothing, estimates no fees, asks no clock, and never spends a coin that is not in a block. A Wallet
// may be used by several goroutines.
package wallet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// gap is how many scripts beyond the last one given out are looked for in blocks (BIP 44 has 20): those given out before a restart
// without a saved state.
const gap = 20

// coinbaseMaturity is the number of blocks between a coinbase and its spend.
const coinbaseMaturity = 100

// Errors of this package, to be matched with errors.Is; see also ShortError.
var (
	// ErrArgument : an argument makes no sense.
	ErrArgument = errors.New("invalid argument")
	// ErrReserved : the id has a reservation already.
	ErrReserved = errors.New("reservation exists")
	// ErrUnknownReservation : the id has none.
	ErrUnknownReservation = errors.New("unknown reservation")
	// ErrCoinGone : a reserved coin was spent, or a reorganisation took it away.
	ErrCoinGone = errors.New("coin is not spendable")
	// ErrChain : an update does not fit the blocks processed so far.
	ErrChain = errors.New("update does not fit")
	// ErrState : a saved state cannot be read.
	ErrState = errors.New("invalid saved state")
)

// ShortError says that the coins do not suffice.
type ShortError struct {
	// Missing is how much more, in sat, one further coin would have to bring. It includes the fee for spending it.
	Missing btcutil.Amount
	// Available is what could be spent, Needed what was asked for with its fee, in sat.
	Available, Needed btcutil.Amount
}

// Error implements error.
func (e *ShortError) Error() string {
	return fmt.Sprintf("%d sat are missing: %d sat needed, %d sat available", int64(e.Missing), int64(e.Needed), int64(e.Available))
}

// KeyFunc returns the private key of an index, the same for ever. Its public key is the internal key of the output.
type KeyFunc func(index uint32) (*btcec.PrivateKey, error)

// Options are what New needs.
type Options struct {
	// Keys must be set.
	Keys KeyFunc
	// Birthday is a block before the first coin of the wallet. The zero value is the time before the genesis block. It is
	// ignored with Saved.
	Birthday chain.BlockID
	// Saved is what Save got last, or nil.
	Saved []byte
	// Save keeps the state. It is called before a change takes effect, and its error stops the change. Nil keeps nothing: then a
	// restart forgets reservations.
	Save func(state []byte) error
}

// Coin is an output of the wallet in a block of the best chain.
type Coin struct {
	Outpoint wire.OutPoint
	// Value is in sat.
	Value btcutil.Amount
	// Index is that of its key, Script its scriptPubKey.
	Index  uint32
	Script []byte
	// Block holds it.
	Block chain.BlockID
	// Coinbase is true when it can only be spent 100 blocks later.
	Coinbase bool
	// Reserved is the id it is reserved for, or empty.
	Reserved string
}

// Balance sums up the coins, in sat.
type Balance struct {
	// Confirmed is all coins. The others are parts of it: Reserved for a purpose, Immature and not reserved, and Available.
	Confirmed, Reserved, Immature, Available btcutil.Amount
}

// Wallet is a wallet. Make one with New.
type Wallet struct {
	keys KeyFunc
	save func([]byte) error

	syncing sync.Mutex // one Sync at a time: each begins where the one before ended
	mu      sync.Mutex
	state   *state
	scripts [][]byte          // by index
	indexes map[string]uint32 // by script
}

// New returns a wallet that has processed no block, or what it had when Saved was written.
func New(o Options) (*Wallet, error) {
	if o.Keys == nil {
		return nil, fmt.Errorf("%w: no keys", ErrArgument)
	}
	w := &Wallet{keys: o.Keys, save: o.Save, indexes: map[string]uint32{}, state: newState(o.Birthday)}
	if w.save == nil {
		w.save = func([]byte) error { return nil }
	}
	if o.Saved != nil {
		var err error
		if w.state, err = decodeState(o.Saved); err != nil {
			return nil, err
		}
	}
	return w, w.watch(w.state.Next)
}

// watch derives the scripts up to gap beyond next.
func (w *Wallet) watch(next uint32) error {
	for i := uint32(len(w.scripts)); i < next+gap; i++ {
		key, err := w.keys(i)
		if err != nil {
			return fmt.Errorf("wallet key %d: %w", i, err)
		}
		script, err := txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(key.PubKey()))
		if err != nil {
			return fmt.Errorf("wallet script %d: %w", i, err)
		}
		w.scripts = append(w.scripts, script)
		w.indexes[string(script)] = i
	}
	return nil
}

// change applies fn to a copy of the state, which takes effect when it is saved.
func (w *Wallet) change(fn func(s *state) error) error {
	next := w.state.clone()
	if err := fn(next); err != nil {
		return err
	}
	raw, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode wallet: %w", err)
	}
	if err := w.save(raw); err != nil {
		return fmt.Errorf("save wallet: %w", err)
	}
	w.state = next
	return nil
}

// NewScript returns a fresh scriptPubKey of 34 bytes to be paid to.
func (w *Wallet) NewScript() ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var script []byte
	err := w.change(func(s *state) (err error) {
		script, err = w.nextScript(s)
		return err
	})
	return script, err
}

func (w *Wallet) nextScript(s *state) ([]byte, error) {
	if err := w.watch(s.Next + 1); err != nil {
		return nil, err
	}
	s.Next++
	return bytes.Clone(w.scripts[s.Next-1]), nil
}

// Sync processes the blocks up to the tip of c, and saves what it has after each part (chain.MaxUpdate): a call that fails has not
// worked for nothing.
func (w *Wallet) Sync(ctx context.Context, c chain.Interface) error {
	w.syncing.Lock()
	defer w.syncing.Unlock()
	if err := chain.Follow(ctx, c, w.Tip(), w.Process); err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	return nil
}

// Tip is the last block processed.
func (w *Wallet) Tip() chain.BlockID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Tip
}

// Process undoes and applies the blocks of an update that begins at Tip, all or, with an error, none.
func (w *Wallet) Process(u chain.Update) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(u.Disconnected)+len(u.Connected) == 0 {
		return nil
	}
	return w.change(func(s *state) error {
		for _, block := range u.Disconnected {
			if err := s.disconnect(block); err != nil {
				return err
			}
		}
		for _, block := range u.Connected {
			if err := w.connect(s, block); err != nil {
				return err
			}
		}
		if s.Tip != u.Tip {
			return fmt.Errorf("%w: it ends at block %v, not %v", ErrChain, s.Tip.Hash, u.Tip.Hash)
		}
		s.prune()
		return nil
	})
}

// Coins returns all coins, reserved and immature ones included, by outpoint.
func (w *Wallet) Coins() []Coin {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.coins(func(Coin) bool { return true })
}

// coins returns those that a condition holds for, by outpoint.
func (w *Wallet) coins(want func(Coin) bool) []Coin {
	var list []Coin
	for outpoint, r := range w.state.Coins {
		if coin := w.coin(outpoint, r); r.SpentIn == nil && want(coin) {
			list = append(list, coin)
		}
	}
	slices.SortFunc(list, func(a, b Coin) int { return compareOutpoints(a.Outpoint, b.Outpoint) })
	return list
}

func (w *Wallet) coin(outpoint outpoint, r record) Coin {
	return Coin{Outpoint: wire.OutPoint(outpoint), Value: r.Value, Index: r.Index, Script: bytes.Clone(w.scripts[r.Index]),
		Block: r.Block, Coinbase: r.Coinbase, Reserved: w.state.Reserved[outpoint]}
}

// mature tells whether a coin may be spent in the next block.
func (w *Wallet) mature(c Coin) bool {
	return !c.Coinbase || w.state.Tip.Height+1 >= c.Block.Height+coinbaseMaturity
}

// available tells whether a coin is free to be used.
func (w *Wallet) available(c Coin) bool { return c.Reserved == "" && w.mature(c) }

// Balance sums up the coins.
func (w *Wallet) Balance() Balance {
	var b Balance
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, coin := range w.coins(func(Coin) bool { return true }) {
		b.Confirmed += coin.Value
		switch {
		case coin.Reserved != "":
			b.Reserved += coin.Value
		case !w.mature(coin):
			b.Immature += coin.Value
		default:
			b.Available += coin.Value
		}
	}
	return b
}

// ReserveCoin reserves the smallest available coin of at least a value in sat for a purpose named id, such as one bump. The error
// is ErrReserved when the id has a reservation, or a *ShortError.
func (w *Wallet) ReserveCoin(id string, atLeast btcutil.Amount) (Coin, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.checkID(id); err != nil {
		return Coin{}, err
	}
	var best Coin
	largest := btcutil.Amount(0)
	for _, coin := range w.coins(w.available) {
		largest = max(largest, coin.Value)
		if coin.Value >= atLeast && (best.Script == nil || coin.Value < best.Value) {
			best = coin
		}
	}
	if best.Script == nil {
		return Coin{}, &ShortError{Missing: atLeast - largest, Available: largest, Needed: atLeast}
	}
	if err := w.change(func(s *state) error { return s.reserve(id, best) }); err != nil {
		return Coin{}, err
	}
	best.Reserved = id
	return best, nil
}

// ReserveOutpoint reserves one coin for a purpose named id. The error is ErrReserved, or ErrCoinGone for a coin that is not
// there, is reserved already or is immature.
func (w *Wallet) ReserveOutpoint(id string, at wire.OutPoint) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.checkID(id); err != nil {
		return err
	}
	r, found := w.state.Coins[outpoint(at)]
	if !found || r.SpentIn != nil || !w.available(w.coin(outpoint(at), r)) {
		return fmt.Errorf("%w: %v", ErrCoinGone, at)
	}
	return w.change(func(s *state) error { return s.reserve(id, w.coin(outpoint(at), r)) })
}

// checkID refuses an id that cannot be reserved for.
func (w *Wallet) checkID(id string) error {
	if id == "" {
		return fmt.Errorf("%w: empty reservation id", ErrArgument)
	}
	if slices.Contains(slices.Collect(maps.Values(w.state.Reserved)), id) {
		return fmt.Errorf("%w: %s", ErrReserved, id)
	}
	return nil
}

// Release gives the coins of a reservation free. It is for a purpose that failed for good, or whose transaction is buried: a coin
// that is released while a transaction that spends it may still confirm can be spent twice.
func (w *Wallet) Release(id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.change(func(s *state) error {
		before := len(s.Reserved)
		maps.DeleteFunc(s.Reserved, func(_ outpoint, owner string) bool { return owner == id })
		if len(s.Reserved) == before {
			return fmt.Errorf("%w: %s", ErrUnknownReservation, id)
		}
		return nil
	})
}

// Reservations returns the ids that have one, sorted.
func (w *Wallet) Reservations() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.Sorted(maps.Values(w.state.Reserved)))
}
