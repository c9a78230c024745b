package wallet

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/coinset"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
	"github.com/btcsuite/btcwallet/wallet/txauthor"
	"github.com/btcsuite/btcwallet/wallet/txrules"
	"github.com/btcsuite/btcwallet/wallet/txsizes"
)

// FeeRate is in sat per 1,000 virtual bytes.
type FeeRate int64

// Bounds of the fee rates that the wallet pays: what Bitcoin Core 30 relays, and what nobody means.
const (
	MinFeeRate FeeRate = 100
	MaxFeeRate FeeRate = 10_000_000
)

// IncrementalRelay is what a replacement pays for its own size on top of what it replaces. Bitcoin Core 30 asks for a tenth of it;
// older nodes relay as well this way.
const IncrementalRelay FeeRate = 1_000

// SatPerVByte returns the rate of n sat per virtual byte.
func SatPerVByte(n int64) FeeRate { return FeeRate(n) * 1_000 }

// Fee is the fee in sat for a size in virtual bytes, rounded up.
func (r FeeRate) Fee(vbytes int64) btcutil.Amount {
	return btcutil.Amount((int64(r)*vbytes + 999) / 1_000)
}

// String gives the rate in sat per virtual byte.
func (r FeeRate) String() string { return fmt.Sprintf("%d.%03d sat/vB", r/1_000, r%1_000) }

func (r FeeRate) check() error {
	if r < MinFeeRate || r > MaxFeeRate {
		return fmt.Errorf("%w: fee rate %d, want %d to %d sat per 1,000 vB", ErrArgument, int64(r), int64(MinFeeRate), int64(MaxFeeRate))
	}
	return nil
}

const (
	// dustLimit of a taproot output, in sat.
	dustLimit btcutil.Amount = 330
	// maxInputs keeps what FundTx makes under 30,000 vB.
	maxInputs = 500
	// inputVBytes is the size of a taproot input with its signature, less than half a virtual byte too small.
	inputVBytes = 57
	// replaceable is the nSequence of our inputs (BIP 125).
	replaceable = 0xfffffffd
	// fundingVersion is the version of what FundTx makes.
	fundingVersion = 2
)

// Unsigned is a transaction that waits for its signatures.
type Unsigned struct {
	// ID is the reservation of its coins.
	ID string
	// Tx has no witnesses. Its txid is that of the signed transaction.
	Tx *wire.MsgTx
	// Inputs are the coins it spends, in order.
	Inputs []Coin
	// Fee is in sat; VSize, in virtual bytes, is that of the signed transaction.
	Fee   btcutil.Amount
	VSize int64
	// Change is the index of the output that pays the wallet, the last one, or -1.
	Change int
}

// FundTx makes a transaction with these outputs, in this order, at a fee rate, and reserves its coins for id. What is left over
// goes to a fresh script of the wallet, or to the fee when it would be dust.
//
// Errors: ErrArgument (outputs that do not relay, a rate out of bounds), ErrReserved, *ShortError, or what Save says.
func (w *Wallet) FundTx(id string, outputs []*wire.TxOut, rate FeeRate) (*Unsigned, error) {
	if err := checkFunding(outputs, rate); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.checkID(id); err != nil {
		return nil, err
	}
	var u *Unsigned
	err := w.change(func(s *state) (err error) {
		if u, err = w.author(s, outputs, rate); err != nil {
			return err
		}
		u.ID = id
		for i := range u.Inputs {
			u.Inputs[i].Reserved = id
		}
		return s.reserve(id, u.Inputs...)
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

func checkFunding(outputs []*wire.TxOut, rate FeeRate) error {
	if err := rate.check(); err != nil {
		return err
	}
	if len(outputs) == 0 {
		return fmt.Errorf("%w: no outputs", ErrArgument)
	}
	sum := btcutil.Amount(0)
	for i, out := range outputs {
		if out == nil || len(out.PkScript) == 0 {
			return fmt.Errorf("%w: output %d has no script", ErrArgument, i)
		}
		if err := txrules.CheckOutput(out, txrules.DefaultRelayFeePerKb); err != nil {
			return fmt.Errorf("%w: output %d of %d sat: %w", ErrArgument, i, out.Value, err)
		}
		if sum += btcutil.Amount(out.Value); sum > btcutil.MaxSatoshi {
			return fmt.Errorf("%w: outputs of more than 21 million bitcoin", ErrArgument)
		}
	}
	return nil
}

// author selects coins and builds the transaction.
func (w *Wallet) author(s *state, outputs []*wire.TxOut, rate FeeRate) (*Unsigned, error) {
	var usable []Coin
	for _, coin := range w.coins(w.available) {
		if coin.Value > rate.Fee(inputVBytes) { // the others cost more than they bring
			usable = append(usable, coin)
		}
	}
	slices.SortStableFunc(usable, func(a, b Coin) int { return cmp.Compare(b.Value, a.Value) })
	usable = usable[:min(len(usable), maxInputs)]
	change, err := w.nextScript(s)
	if err != nil {
		return nil, err
	}
	source := &source{coins: usable, outputs: outputs, rate: rate}
	authored, err := txauthor.NewUnsignedTransaction(copyOutputs(outputs), btcutil.Amount(rate), source.fetch, &txauthor.ChangeSource{
		NewScript:  func() ([]byte, error) { return change, nil },
		ScriptSize: txsizes.P2TRPkScriptSize,
	})
	if err != nil {
		return nil, err
	}
	u := &Unsigned{Tx: authored.Tx, Inputs: source.picked}
	u.Tx.Version = fundingVersion
	u.settle(len(outputs), change, rate)
	if u.Change < 0 {
		s.Next-- // nobody has seen the script
	}
	return u, nil
}

// settle decides on the change from the exact size: the library's estimate is a little too large.
func (u *Unsigned) settle(outputs int, change []byte, rate FeeRate) {
	left := btcutil.Amount(0)
	for _, coin := range u.Inputs {
		left += coin.Value
	}
	u.Tx.TxOut = u.Tx.TxOut[:outputs]
	for _, out := range u.Tx.TxOut {
		left -= btcutil.Amount(out.Value)
	}
	u.Tx.AddTxOut(wire.NewTxOut(0, change))
	u.Change, u.VSize = outputs, signedVSize(u.Tx)
	u.Fee = rate.Fee(u.VSize)
	if rest := left - u.Fee; rest >= dustLimit {
		u.Tx.TxOut[outputs].Value = int64(rest)
		return
	}
	u.Tx.TxOut = u.Tx.TxOut[:outputs]
	u.Change, u.VSize, u.Fee = -1, signedVSize(u.Tx), left
}

func copyOutputs(outputs []*wire.TxOut) []*wire.TxOut {
	copied := make([]*wire.TxOut, len(outputs))
	for i, out := range outputs {
		copied[i] = wire.NewTxOut(out.Value, bytes.Clone(out.PkScript))
	}
	return copied
}

// signedVSize is the size of a transaction in virtual bytes when each input has one signature of 64 bytes.
func signedVSize(tx *wire.MsgTx) int64 {
	signed := tx.Copy()
	for _, in := range signed.TxIn {
		in.Witness = wire.TxWitness{make([]byte, schnorr.SignatureSize)}
	}
	return vsize(signed)
}

func vsize(tx *wire.MsgTx) int64 {
	weight := blockchain.GetTransactionWeight(btcutil.NewTx(tx))
	return (weight + blockchain.WitnessScaleFactor - 1) / blockchain.WitnessScaleFactor
}

// source gives coins to the library.
type source struct {
	coins   []Coin
	outputs []*wire.TxOut
	rate    FeeRate
	picked  []Coin
}

// fetch selects coins worth at least target: the largest ones, so that there are few.
func (s *source) fetch(target btcutil.Amount) (total btcutil.Amount, ins []*wire.TxIn, values []btcutil.Amount, scripts [][]byte,
	err error) {
	candidates := make([]coinset.Coin, len(s.coins))
	for i, coin := range s.coins {
		candidates[i] = candidate{coin}
	}
	selected, err := coinset.MinNumberCoinSelector{MaxInputs: maxInputs}.CoinSelect(target, candidates)
	if err != nil {
		return 0, nil, nil, nil, s.short()
	}
	s.picked = nil
	for _, c := range selected.Coins() {
		coin := c.(candidate).Coin
		in := wire.NewTxIn(&coin.Outpoint, nil, nil)
		in.Sequence = replaceable
		total += coin.Value
		s.picked, ins = append(s.picked, coin), append(ins, in)
		values, scripts = append(values, coin.Value), append(scripts, coin.Script)
	}
	return total, ins, values, scripts, nil
}

// short says what is missing when all coins are used and one more. The library begins with the estimate for one input of another
// kind, which is larger than one of ours and counts while there is no second one.
func (s *source) short() error {
	size := txsizes.EstimateVirtualSize(0, len(s.coins)+1, 0, 0, s.outputs, txsizes.P2TRPkScriptSize)
	size = max(size, txsizes.EstimateVirtualSize(0, 0, 1, 0, s.outputs, txsizes.P2TRPkScriptSize))
	e := &ShortError{Needed: s.rate.Fee(int64(size))}
	for _, out := range s.outputs {
		e.Needed += btcutil.Amount(out.Value)
	}
	for _, coin := range s.coins {
		e.Available += coin.Value
	}
	e.Missing = e.Needed - e.Available
	return e
}

// candidate is a Coin for the library that selects.
type candidate struct{ Coin }

// Hash and the others implement coinset.Coin. Age plays no part in the selection.
func (c candidate) Hash() *chainhash.Hash { return &c.Outpoint.Hash }
func (c candidate) Index() uint32         { return c.Outpoint.Index }
func (c candidate) Value() btcutil.Amount { return c.Coin.Value }
func (c candidate) PkScript() []byte      { return c.Script }
func (c candidate) NumConfs() int64       { return 1 }
func (c candidate) ValueAge() int64       { return 0 }

// Sign returns the transaction with its signatures. Every input must be a coin of the wallet that is still unspent and reserved
// for u.ID: the error is ErrCoinGone or ErrUnknownReservation.
func (w *Wallet) Sign(u *Unsigned) (*wire.MsgTx, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	tx := u.Tx.Copy()
	coins := make([]Coin, len(tx.TxIn))
	previous := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range tx.TxIn {
		coin, err := w.reserved(u.ID, in.PreviousOutPoint)
		if err != nil {
			return nil, err
		}
		coins[i] = coin
		previous.AddPrevOut(coin.Outpoint, wire.NewTxOut(int64(coin.Value), coin.Script))
	}
	hashes := txscript.NewTxSigHashes(tx, previous)
	for i, coin := range coins {
		if err := w.signInput(tx, i, coin, hashes); err != nil {
			return nil, err
		}
	}
	return tx, nil
}

// reserved returns a coin that is reserved for an id.
func (w *Wallet) reserved(id string, at wire.OutPoint) (Coin, error) {
	r, found := w.state.Coins[outpoint(at)]
	if !found || r.SpentIn != nil {
		return Coin{}, fmt.Errorf("%w: %v", ErrCoinGone, at)
	}
	coin := w.coin(outpoint(at), r)
	if coin.Reserved != id || id == "" {
		return Coin{}, fmt.Errorf("%w: %s for %v", ErrUnknownReservation, id, at)
	}
	if !w.mature(coin) {
		return Coin{}, fmt.Errorf("%w: %v is immature", ErrCoinGone, at)
	}
	return coin, nil
}

// signInput puts the witness of one coin.
func (w *Wallet) signInput(tx *wire.MsgTx, i int, coin Coin, hashes *txscript.TxSigHashes) error {
	key, err := w.keys(coin.Index)
	if err != nil {
		return fmt.Errorf("wallet key %d: %w", coin.Index, err)
	}
	sig, err := txscript.RawTxInTaprootSignature(tx, hashes, i, int64(coin.Value), coin.Script, nil, txscript.SigHashDefault, key)
	if err != nil {
		return fmt.Errorf("sign input %d: %w", i, err)
	}
	tx.TxIn[i].Witness = wire.TxWitness{sig}
	return nil
}
