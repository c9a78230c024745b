package commitment

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"
)

// published are the figures of BOLT 3 for one type, in our form.
type published struct {
	Name, Source, Type string
	FundingTxid        string `json:"funding_txid"`
	FundingIndex       uint32 `json:"funding_index"`
	FundingSat         Sat    `json:"funding_satoshis"`
	Number             Number `json:"commitment_number"`
	Delay              uint16 `json:"to_self_delay"`
	Secret             string `json:"per_commitment_secret"`
	Point              string `json:"per_commitment_point"`
	Revocation         string `json:"accepter_revocation_basepoint"`
	Opener, Accepter   publishedSide
	Tests              []publishedTest
}

type publishedSide struct{ Funding, Payment, Delayed, HTLC, Revocation string }

type publishedTest struct {
	Name       string
	Dust       Sat      `json:"dust_limit_satoshis"`
	Feerate    Feerate  `json:"feerate_per_kw"`
	Opener     MilliSat `json:"opener_msat"`
	Accepter   MilliSat `json:"accepter_msat"`
	HTLCs      []publishedHTLC
	Commitment string   `json:"commitment_tx"`
	HTLCTxs    []string `json:"htlc_txs"`
}

type publishedHTLC struct {
	OfferedBy string `json:"offered_by"`
	ID        uint64
	Amount    MilliSat `json:"amount_msat"`
	Expiry    Height   `json:"cltv_expiry"`
	Preimage  string   `json:"payment_preimage"`
}

// secrets reads those that are published; a made up key stands for the others,
// which do not show in the owner's transactions.
func (s publishedSide) secrets(t *testing.T) *Secrets {
	key := func(hex string) *btcec.PrivateKey {
		if hex == "" {
			return testKey("unpublished")
		}
		k, _ := btcec.PrivKeyFromBytes(unhex(t, hex))

		return k
	}

	return &Secrets{Revocation: key(s.Revocation), Payment: key(s.Payment), Delayed: key(s.Delayed), HTLC: key(s.HTLC)}
}

func (f *published) pair(t *testing.T) (*pair, *btcec.PublicKey) {
	p := &pair{Params: Params{Delay: [2]uint16{f.Delay, 1}}}
	if f.Type == ZeroFee.String() {
		p.Type = ZeroFee
	}
	p.Fund = Funding{
		Outpoint: btcwire.OutPoint{Hash: parseHash(t, f.FundingTxid), Index: f.FundingIndex}, Value: f.FundingSat,
	}
	for side, published := range []publishedSide{f.Opener, f.Accepter} {
		p.Secrets[side] = published.secrets(t)
		p.Basepoints[side] = p.Secrets[side].Basepoints()
		p.Keys[side], _ = btcec.PrivKeyFromBytes(unhex(t, published.Funding))
		p.Fund.Keys[side] = p.Keys[side].PubKey()
	}
	var err error
	if f.Revocation != "" {
		p.Basepoints[Accepter].Revocation, err = btcec.ParsePubKey(unhex(t, f.Revocation))
	}
	if err != nil {
		t.Fatal(err)
	}
	if f.Secret != "" {
		point, err := Secret(unhex(t, f.Secret)).Point()
		if err != nil {
			t.Fatal(err)
		}

		return p, point
	}
	point, err := btcec.ParsePubKey(unhex(t, f.Point))
	if err != nil {
		t.Fatal(err)
	}

	return p, point
}

// Every transaction of BOLT 3's appendices F and H comes out byte for byte,
// with both signatures: keys, scripts, order, trimming, fee, anchors, sighash.
func TestPublishedTransactions(t *testing.T) {
	var files []published
	readJSON(t, "testdata/bolt3.json", &files)
	for _, f := range files {
		for _, test := range f.Tests {
			t.Run(f.Name+"/"+test.Name, func(t *testing.T) {
				p, point := f.pair(t)
				p.DustLimit = [2]Sat{test.Dust, 1}
				state, preimages := test.state(t, f.Number)
				c, err := p.Build(Opener, &p.Fund, &state, point)
				if err != nil {
					t.Fatal(err)
				}
				sig, htlcSigs, err := c.Sign(p.Keys[Accepter], p.Secrets[Accepter])
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Verify(sig, htlcSigs); err != nil {
					t.Error(err)
				}
				signed, err := c.Complete(p.Keys[Opener], sig)
				if err != nil {
					t.Fatal(err)
				}
				if got := rawTx(t, signed); got != test.Commitment {
					t.Errorf("commitment transaction\n%s, want\n%s", got, test.Commitment)
				}
				claims, err := c.OwnClaims(p.Secrets[Opener], p.Keys[Opener], htlcSigs, preimages)
				if err != nil {
					t.Fatal(err)
				}
				if got := soloHTLCs(t, p.Type, claims); !slices.Equal(got, test.HTLCTxs) {
					t.Errorf("HTLC transactions\n%q, want\n%q", got, test.HTLCTxs)
				}
			})
		}
	}
}

func (test *publishedTest) state(t *testing.T, n Number) (State, map[[32]byte][32]byte) {
	s := State{Number: n, Feerate: test.Feerate, Balance: [2]MilliSat{test.Opener, test.Accepter}}
	preimages := map[[32]byte][32]byte{}
	for _, h := range test.HTLCs {
		preimage := [32]byte(unhex(t, h.Preimage))
		htlc := HTLC{ID: h.ID, Amount: h.Amount, Expiry: h.Expiry, Hash: sha256.Sum256(preimage[:])}
		if h.OfferedBy == Accepter.String() {
			htlc.OfferedBy = Accepter
		}
		preimages[htlc.Hash] = preimage
		s.HTLCs = append(s.HTLCs, htlc)
	}

	return s, preimages
}

// soloHTLCs makes each HTLC transaction alone, without fee.
func soloHTLCs(t *testing.T, kind Type, claims []*Claim) []string {
	var all []string
	for _, claim := range claims {
		if claim.Kind != ClaimHTLCTx {
			continue
		}
		tx, err := NewSpend(kind.Version(), []*Claim{claim}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := SignSpend(tx, []*Claim{claim}); err != nil {
			t.Fatal(err)
		}
		all = append(all, rawTx(t, tx))
	}

	return all
}

// Appendix D: secrets out of a seed, and which sequences a receiver refuses.
func TestPublishedSecrets(t *testing.T) {
	var f struct {
		Generate []struct {
			Name, Seed, Secret string
			Index              uint64
		}
		Store []struct {
			Name    string
			Inserts []struct {
				Index  uint64
				Secret string
				OK     bool
			}
		}
	}
	readJSON(t, "testdata/secrets.json", &f)
	for _, g := range f.Generate {
		got := Seed(unhex(t, g.Seed)).Secret(MaxNumber - Number(g.Index))
		if !bytes.Equal(got[:], unhex(t, g.Secret)) {
			t.Errorf("%s: %x, want %s", g.Name, got, g.Secret)
		}
	}
	for _, s := range f.Store {
		var r Revocations
		for _, in := range s.Inserts {
			secret := Secret(unhex(t, in.Secret))
			point, err := secret.Point()
			if err != nil {
				t.Fatal(err)
			}
			if r.Next() != MaxNumber-Number(in.Index) {
				t.Fatalf("%s: number %d comes next, want index %d", s.Name, r.Next(), in.Index)
			}
			next, err := r.Add(secret, point)
			if (err == nil) != in.OK {
				t.Errorf("%s: index %d: %v, want ok %v", s.Name, in.Index, err, in.OK)
			}
			r = next
		}
	}
}

// Appendix E: derivation of keys.
func TestPublishedKeys(t *testing.T) {
	base, basepoint := btcec.PrivKeyFromBytes(unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	secret, point := btcec.PrivKeyFromBytes(unhex(t, "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"))
	for _, test := range []struct {
		name string
		got  []byte
		want string
	}{
		{"localpubkey", DeriveKey(basepoint, point).SerializeCompressed(), "0235f2dbfaa89b57ec7b055afe29849ef7ddfeb1cefdb9ebdc43f5494984db29e5"},
		{"localprivkey", DeriveSecret(base, point).Serialize(), "cbced912d3b21bf196a766651e436aff192362621ce317704ea2f75d87e7be0f"},
		{"revocationpubkey", RevocationKey(basepoint, point).SerializeCompressed(), "02916e326636d19c33f13e8c0c3a03dd157f332f3e99c317c141dd865eb01f8ff0"},
		{"revocationprivkey", RevocationSecret(base, secret).Serialize(), "d09ffff62ddb2297ab000cc85bcb4283fdeb6aa052affbc9dddcf33b61078110"},
	} {
		if !bytes.Equal(test.got, unhex(t, test.want)) {
			t.Errorf("%s: %x, want %s", test.name, test.got, test.want)
		}
	}
}
