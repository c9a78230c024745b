package closing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/wallet"
	"superscalar/wire"
	"superscalar/wire/rule"
)

type fatal interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func check(t fatal, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func keyOf(name string) *btcec.PrivateKey {
	sum := sha256.Sum256([]byte(name))
	key, _ := btcec.PrivKeyFromBytes(sum[:])

	return key
}

// anyone is a script that anyone can spend: what the adversary pays to.
var anyone = func() []byte {
	hash := sha256.Sum256([]byte{txscript.OP_TRUE})

	return append([]byte{txscript.OP_0, txscript.OP_DATA_32}, hash[:]...)
}()

func preimageOf(h commitment.HTLC) [32]byte {
	return sha256.Sum256(fmt.Append(nil, h.OfferedBy, " ", h.ID))
}

// signed is a commitment with the signatures of both sides.
type signed struct {
	*commitment.Commitment
	tx   *btcwire.MsgTx
	sigs []wire.Signature
}

// scene is a channel of us and an adversary on an embedded chain, where
// consensus and mempool policy judge every transaction.
type scene struct {
	t      fatal
	chain  *embedded.Chain
	wallet *wallet.Wallet
	script []byte
	driver *Driver

	us, them commitment.Side
	params   commitment.Params
	funding  commitment.Funding
	keys     [2]*btcec.PrivateKey
	secrets  [2]*commitment.Secrets
	seeds    [2]commitment.Seed

	channel *Channel
	theirs  []signed // all that the adversary ever had, by number
	ours    signed

	height  commitment.Height
	blocks  map[commitment.Height][]*btcwire.MsgTx // since the scene began
	events  map[channel.HTLCID]string              // ends of what we offered
	removed map[channel.HTLCID]bool
	shown   map[[32]byte]bool            // payment hashes whose preimage was in a block
	learned map[uint64]commitment.Height // when we learned preimages, by id of the adversary's HTLC
	last    Report
}

// terms of a scene.
type terms struct {
	kind      commitment.Type
	us        commitment.Side
	delay     [2]uint16
	states    []commitment.State // of the adversary, by number
	our       commitment.State
	revoked   int // how many of states are revoked
	inFactory bool
	coins     int
	value     int64 // of each coin, in sat; 0: 100,000
	rules     rule.Set
}

const channelValue = 1_000_000 // sat

func newScene(t fatal, c *embedded.Chain, x terms) *scene {
	t.Helper()
	s := &scene{
		t: t, chain: c, us: x.us, them: x.us.Other(), driver: &Driver{}, events: map[channel.HTLCID]string{},
		removed: map[channel.HTLCID]bool{}, shown: map[[32]byte]bool{}, learned: map[uint64]commitment.Height{}, blocks: map[commitment.Height][]*btcwire.MsgTx{},
		params: commitment.Params{Type: x.kind, DustLimit: [2]commitment.Sat{354, 354}, Delay: x.delay, Rules: x.rules},
	}
	s.funding.Value = channelValue
	for side := range s.keys {
		name := commitment.Side(side).String()
		s.keys[side] = keyOf(name + " funding")
		s.secrets[side] = &commitment.Secrets{
			Revocation: keyOf(name + " revocation"), Payment: keyOf(name + " payment"),
			Delayed: keyOf(name + " delayed"), HTLC: keyOf(name + " htlc"),
		}
		s.seeds[side] = sha256.Sum256([]byte(name))
		s.params.Basepoints[side] = s.secrets[side].Basepoints()
		s.funding.Keys[side] = s.keys[side].PubKey()
	}
	s.fund(x.coins, cmp.Or(x.value, 100_000))
	for n := range x.states {
		s.theirs = append(s.theirs, s.sign(s.them, x.states[n]))
	}
	s.ours = s.sign(s.us, x.our)
	s.channel = &Channel{
		Params: s.params, Side: s.us, Secrets: s.secrets[s.us], InFactory: x.inFactory, Revoked: s.revoked(x),
		Outputs: []Output{{
			Funding: s.funding, Key: s.keys[s.us],
			Ours: &channel.SignedCommitment{Commitment: s.ours.Commitment, Tx: s.ours.tx, HTLCSigs: s.ours.sigs},
		}},
	}
	for n := x.revoked; n < len(x.states); n++ {
		s.channel.Outputs[0].Theirs = append(s.channel.Outputs[0].Theirs, s.theirs[n].Commitment)
		s.hold(x.states[n].HTLCs)
	}
	s.hold(x.our.HTLCs)

	return s
}

// hold adds HTLCs to those that have not ended off the chain.
func (s *scene) hold(htlcs []commitment.HTLC) {
	for _, h := range htlcs {
		x := HTLC{By: h.OfferedBy, ID: channel.HTLCID(h.ID), Amount: h.Amount, Hash: h.Hash, Expiry: h.Expiry}
		if !slices.ContainsFunc(s.channel.HTLCs, func(y HTLC) bool { return y.By == x.By && y.ID == x.ID }) {
			s.channel.HTLCs = append(s.channel.HTLCs, x)
		}
	}
}

// fund gets the funding output, and coins for us, into a block.
func (s *scene) fund(coins int, value int64) {
	s.t.Helper()
	tip, err := s.chain.Tip(context.Background())
	check(s.t, err)
	s.wallet, err = wallet.New(wallet.Options{
		Keys:     func(i uint32) (*btcec.PrivateKey, error) { return keyOf(fmt.Sprint("wallet ", i)), nil },
		Birthday: tip,
	})
	check(s.t, err)
	s.driver.Wallet = s.wallet
	s.script, err = s.wallet.NewScript()
	check(s.t, err)
	s.funding.Outpoint, err = s.chain.Fund(s.funding.Output().PkScript, channelValue)
	check(s.t, err)
	if coins > 0 {
		outs := make([]*btcwire.TxOut, coins)
		script, err := s.wallet.NewScript()
		check(s.t, err)
		for i := range outs {
			outs[i] = btcwire.NewTxOut(value, script)
		}
		_, err = s.chain.FundOutputs(outs...)
		check(s.t, err)
	}
	_, err = s.chain.Mine(1)
	check(s.t, err)
	s.height = commitment.Height(tip.Height) + 1
	check(s.t, s.wallet.Sync(context.Background(), s.chain))
}

func (s *scene) sign(owner commitment.Side, state commitment.State) signed {
	s.t.Helper()
	point, err := s.seeds[owner].Point(state.Number)
	check(s.t, err)
	c, err := s.params.Build(owner, &s.funding, &state, point)
	check(s.t, err)
	sig, sigs, err := c.Sign(s.keys[owner.Other()], s.secrets[owner.Other()])
	check(s.t, err)
	tx, err := c.Complete(s.keys[owner], sig)
	check(s.t, err)

	return signed{c, tx, sigs}
}

func (s *scene) revoked(x terms) func(commitment.Number) (*channel.Revoked, error) {
	return func(n commitment.Number) (*channel.Revoked, error) {
		if n >= commitment.Number(x.revoked) {
			return nil, nil
		}

		return &channel.Revoked{
			Number: n, Secret: s.seeds[s.them].Secret(n),
			On: []channel.RevokedOn{{Txid: wire.Txid(s.funding.Outpoint.Hash), State: x.states[n]}},
		}, nil
	}
}

// block mines a block with these transactions and all of the mempool that does
// not conflict with them, and takes the step that follows.
func (s *scene) block(first ...*btcwire.MsgTx) {
	s.t.Helper()
	s.mine(append(slices.Clone(first), s.others(first)...)...)
	s.step()
}

// mine mines a block with exactly these.
func (s *scene) mine(txs ...*btcwire.MsgTx) {
	s.t.Helper()
	_, err := s.chain.MineWith(txs...)
	check(s.t, err)
	s.height++
	s.blocks[s.height] = txs
	for _, tx := range txs {
		for _, in := range tx.TxIn {
			for _, item := range in.Witness {
				s.shown[sha256.Sum256(item)] = true
			}
		}
	}
}

// others are the transactions of the mempool that do not conflict.
func (s *scene) others(first []*btcwire.MsgTx) (rest []*btcwire.MsgTx) {
	taken, out, in := map[btcwire.OutPoint]bool{}, map[chainhash.Hash]bool{}, map[chainhash.Hash]bool{}
	for _, tx := range first {
		in[tx.TxHash()] = true
		for _, i := range tx.TxIn {
			taken[i.PreviousOutPoint] = true
		}
	}
	for _, tx := range s.chain.Mempool() {
		txid := tx.TxHash()
		bad := slices.ContainsFunc(tx.TxIn, func(i *btcwire.TxIn) bool { return taken[i.PreviousOutPoint] || out[i.PreviousOutPoint.Hash] })
		if bad && !in[txid] {
			out[txid] = true
		} else if !in[txid] {
			rest = append(rest, tx)
		}
	}

	return rest
}

// step is what a node does after a block: the driver's step, and what it tells
// the router.
func (s *scene) step() {
	s.t.Helper()
	check(s.t, s.wallet.Sync(context.Background(), s.chain))
	report, err := s.driver.Step(context.Background(), s.chain, s.channel, s.script)
	check(s.t, err)
	check(s.t, s.driver.Release(context.Background(), s.chain))
	s.last = report
	if report.Plan.End != Open && report.Plan.End != Mutual {
		s.channel.Failed = true
	}
	for _, preimage := range report.Plan.Preimages {
		hash := sha256.Sum256(preimage[:])
		for i := range s.channel.HTLCs {
			if h := &s.channel.HTLCs[i]; h.By == s.us && h.Hash == hash && !h.Ended {
				s.event(h, "fulfilled")
			}
		}
	}
	for _, sent := range report.Sent {
		if chain.IsRejection(sent.Err, chain.ReasonNonFinal) || chain.IsRejection(sent.Err, chain.ReasonNonBIP68Final) {
			s.t.Fatalf("too early: %v", sent.Err)
		}
	}
	if report.Plan.Settled() && report.Plan.End != Mutual && report.Plan.End != Unknown {
		s.checkSettled()
	}
	for _, id := range report.Plan.Gone {
		s.checkBuried(s.find(s.us, id))
		s.event(s.find(s.us, id), "failed")
	}
	for _, id := range report.Plan.Removed {
		h := s.find(s.them, id)
		s.checkBuried(h)
		if h.Ended {
			s.t.Fatalf("HTLC %d of the adversary is removed twice", id)
		}
		h.Ended, s.removed[id] = true, true
	}
}

func (s *scene) event(h *HTLC, what string) {
	s.t.Helper()
	if s.events[h.ID] != "" {
		s.t.Fatalf("HTLC %d is %s, and was %s", h.ID, what, s.events[h.ID])
	}
	s.events[h.ID], h.Ended = what, true
}

func (s *scene) find(by commitment.Side, id channel.HTLCID) *HTLC {
	s.t.Helper()
	for i := range s.channel.HTLCs {
		if h := &s.channel.HTLCs[i]; h.By == by && h.ID == id {
			return h
		}
	}
	s.t.Fatalf("there is no HTLC %d of the %s", id, by)

	return nil
}

// learn gives us the preimage of an HTLC of the adversary.
func (s *scene) learn(h *HTLC) {
	preimage := preimageOf(commitment.HTLC{OfferedBy: h.By, ID: uint64(h.ID)})
	h.Preimage = &preimage
	s.learned[uint64(h.ID)] = s.height
}

// pay makes a transaction of the adversary's out of one of its claims, without a
// fee: it goes into a block by itself.
func (s *scene) pay(claim *commitment.Claim) *btcwire.MsgTx {
	s.t.Helper()
	var outs []*btcwire.TxOut
	if claim.Pair == nil {
		outs = []*btcwire.TxOut{btcwire.NewTxOut(claim.Output.Value, anyone)}
	}
	version := int32(2)
	if claim.Pair != nil {
		version = s.params.Type.Version()
	}
	tx, err := commitment.NewSpend(version, []*commitment.Claim{claim}, nil, outs)
	check(s.t, err)
	check(s.t, commitment.SignSpend(tx, []*commitment.Claim{claim}))

	return tx
}

// spend finds what spends an outpoint in a block.
func (s *scene) spend(o btcwire.OutPoint) (chain.Spend, bool) {
	s.t.Helper()
	spend, found, err := s.chain.Spend(context.Background(), o)
	check(s.t, err)

	return spend, found && spend.Confirmed
}
