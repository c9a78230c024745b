package commitment

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/lightningnetwork/lnd/input"
	"pgregory.net/rapid"
)

// Scripts and keys are those of lnd's package input, which has them all but
// the zero-fee ones under that name: an HTLC without confirmed spend is the
// same script.
func TestScriptsAgreeWithLND(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c := drawCommitment(t)
		k, owner, other := c.keys, c.Owner, c.Owner.Other()
		must := func(b []byte, err error) []byte {
			if err != nil {
				t.Fatal(err)
			}

			return b
		}
		confirmed := p.Type == Anchors
		for _, out := range c.Outputs {
			var want []byte
			switch out.Kind {
			case ToLocal:
				want = must(input.CommitScriptToSelf(uint32(p.Delay[owner]), k.delayed, k.revocation))
			case ToRemote:
				if p.Type == ZeroFee {
					if want := must(input.CommitScriptUnencumbered(k.otherRemote)); !bytes.Equal(want, out.tx.PkScript) {
						t.Fatalf("to_remote %x, lnd's %x", out.tx.PkScript, want)
					}

					continue
				}
				want = must(input.CommitScriptToRemoteConfirmed(k.otherRemote))
			case LocalAnchor:
				want = must(input.CommitScriptAnchor(c.Funding.Keys[owner]))
			case RemoteAnchor:
				want = must(input.CommitScriptAnchor(c.Funding.Keys[other]))
			case OfferedHTLC:
				want = must(input.SenderHTLCScript(k.ownerHTLC, k.otherHTLC, k.revocation, out.HTLC.Hash[:], confirmed))
			case ReceivedHTLC:
				want = must(input.ReceiverHTLCScript(uint32(out.HTLC.Expiry), k.otherHTLC, k.ownerHTLC, k.revocation, out.HTLC.Hash[:], confirmed))
			default:
				continue
			}
			if !bytes.Equal(out.WitnessScript, want) {
				t.Fatalf("%s: %x, lnd's %x", out.Kind, out.WitnessScript, want)
			}
			if program := must(input.WitnessScriptHash(want)); !bytes.Equal(program, out.tx.PkScript) {
				t.Fatalf("%s: output script %x, lnd's %x", out.Kind, out.tx.PkScript, program)
			}
		}
		second := must(input.SecondLevelHtlcScript(k.revocation, k.delayed, uint32(p.Delay[owner])))
		for _, h := range c.HTLCs {
			if want := must(input.WitnessScriptHash(second)); !bytes.Equal(h.Tx.TxOut[0].PkScript, want) {
				t.Fatalf("HTLC transaction pays %x, lnd's %x", h.Tx.TxOut[0].PkScript, want)
			}
		}
		_, funding, err := input.GenFundingPkScript(c.Funding.Keys[0].SerializeCompressed(), c.Funding.Keys[1].SerializeCompressed(), int64(c.Funding.Value))
		if err != nil || !bytes.Equal(funding.PkScript, c.Funding.Output().PkScript) || funding.Value != c.Funding.Output().Value {
			t.Fatalf("funding output %x, lnd's %x, %v", c.Funding.Output().PkScript, funding.PkScript, err)
		}
	})
}

func TestKeysAgreeWithLND(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) *btcec.PrivateKey {
			return testKey(rapid.StringN(1, 8, 8).Draw(t, name))
		}
		base, secret := draw("base"), draw("secret")
		point := secret.PubKey()
		if !DeriveKey(base.PubKey(), point).IsEqual(input.TweakPubKey(base.PubKey(), point)) {
			t.Fatal("derived key")
		}
		tweaked := input.TweakPrivKey(base, input.SingleTweakBytes(point, base.PubKey()))
		if got := DeriveSecret(base, point); got.Key != tweaked.Key || !got.PubKey().IsEqual(DeriveKey(base.PubKey(), point)) {
			t.Fatal("derived secret")
		}
		if !RevocationKey(base.PubKey(), point).IsEqual(input.DeriveRevocationPubkey(base.PubKey(), point)) {
			t.Fatal("revocation key")
		}
		revocation := input.DeriveRevocationPrivKey(base, secret)
		if got := RevocationSecret(base, secret); got.Key != revocation.Key || !got.PubKey().IsEqual(RevocationKey(base.PubKey(), point)) {
			t.Fatal("revocation secret")
		}
	})
}
