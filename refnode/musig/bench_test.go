package musig

import (
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
)

// BenchmarkKeyAgg parses n keys and aggregates them with the BIP-86 tweak.
func BenchmarkKeyAgg(b *testing.B) {
	for _, n := range []int{2, 16, 128, 1024} {
		raw := make([][PublicKeySize]byte, n)
		for i := range raw {
			raw[i] = secretKey(b, "bench", i).PublicKey().Bytes()
		}
		b.Run(fmt.Sprintf("parse/n=%d", n), func(b *testing.B) {
			for b.Loop() {
				must(ParsePublicKeys(raw))(b)
			}
		})
		keys := must(ParsePublicKeys(raw))(b)
		b.Run(fmt.Sprintf("aggregate/n=%d", n), func(b *testing.B) {
			for b.Loop() {
				agg := must(Aggregate(keys))(b)
				must(agg.Taproot(nil))(b)
			}
		})
	}
}

// BenchmarkSession measures what is paid once per message, for any n.
func BenchmarkSession(b *testing.B) {
	p := newParty(b, "bench", 128)
	for b.Loop() {
		must(NewSession(p.agg, p.session.nonce, [32]byte{}))(b)
	}
}

// BenchmarkNonceGen measures nonces that are made together.
func BenchmarkNonceGen(b *testing.B) {
	key, random := secretKey(b, "bench", 0), seeded("bench")
	for _, n := range []int{1, 9, 128} {
		inputs := slices.Repeat([]NonceInput{{SecretKey: key}}, n)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := NonceGenAll(random, inputs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "us/nonce")
		})
	}
}

// BenchmarkAggregateNonces measures 128 parsed nonces.
func BenchmarkAggregateNonces(b *testing.B) {
	p := newParty(b, "bench", 128)
	for b.Loop() {
		must(AggregateNonces(p.nonces))(b)
	}
}

// BenchmarkParsePublicNonce measures one nonce.
func BenchmarkParsePublicNonce(b *testing.B) {
	raw := newParty(b, "bench", 1).nonces[0].Bytes()
	for b.Loop() {
		must(ParsePublicNonce(raw[:]))(b)
	}
}

// BenchmarkSign measures one partial signature of 128, the nonce left out.
func BenchmarkSign(b *testing.B) {
	p := newParty(b, "bench", 128)
	first, second := hashScalar(number("k", 1)), hashScalar(number("k", 2))
	for b.Loop() {
		nonce := newSecretNonce(&nonceScalars{first, second}, p.keys[0].raw)
		must(p.session.Sign(nonce, p.secrets[0]))(b)
	}
}

// BenchmarkVerifyPartial measures one partial signature of 128.
func BenchmarkVerifyPartial(b *testing.B) {
	p := newParty(b, "bench", 128)
	for b.Loop() {
		if err := p.session.VerifyPartial(p.partials[7], p.nonces[7],
			p.keys[7]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCombine measures 128 partial signatures.
func BenchmarkCombine(b *testing.B) {
	p := newParty(b, "bench", 128)
	for b.Loop() {
		must(p.session.Combine(p.partials))(b)
	}
}

// BenchmarkVerify measures one complete signature.
func BenchmarkVerify(b *testing.B) {
	item := signed(b, "bench", 1)[0]
	for b.Loop() {
		if err := Verify(item.Signature, item.Key, item.Message); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyBatch reports the time per signature too.
func BenchmarkVerifyBatch(b *testing.B) {
	all := signed(b, "bench", 1024)
	for _, n := range []int{batchFrom, 128, 1024} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			random := seeded("bench")
			for b.Loop() {
				if err := VerifyBatch(all[:n], random); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/
				float64(b.N*n), "us/signature")
		})
	}
}

// BenchmarkECDSA verifies many signatures under one key, and one by one with btcec.
func BenchmarkECDSA(b *testing.B) {
	secret := number("bench", 0)
	key, public := btcec.PrivKeyFromBytes(secret[:])
	items := make([]ECDSAItem, 100)
	for i := range items {
		items[i] = ecdsaSigned(key, number("hash", i))
	}
	each := func(b *testing.B, n int) {
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "us/signature")
	}
	for _, n := range []int{1, 5, 10, 100} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if slices.Contains(VerifyECDSA(public, items[:n]), false) {
					b.Fatal("a valid signature was refused")
				}
			}
			each(b, n)
		})
	}
	signature := ecdsa.Sign(key, items[0].Hash[:])
	b.Run("btcec", func(b *testing.B) {
		for b.Loop() {
			if !signature.Verify(items[0].Hash[:], public) {
				b.Fatal("a valid signature was refused")
			}
		}
		each(b, 1)
	})
}

// BenchmarkKeys measures what a channel derives for each commitment, and what it
// reads.
func BenchmarkKeys(b *testing.B) {
	key := &btcec.PrivateKey{Key: hashScalar(number("key", 0))}
	public, unit := key.PubKey(), new(scalar).SetInt(1)
	other := (&btcec.PrivateKey{Key: hashScalar(number("key", 1))}).PubKey()
	raw := public.SerializeCompressed()
	x := pointOf(public).x
	b.Run("public", func(b *testing.B) {
		for b.Loop() {
			PublicKeyOf(key)
		}
	})
	b.Run("btcec public", func(b *testing.B) {
		for b.Loop() {
			key.PubKey()
		}
	})
	b.Run("derive", func(b *testing.B) {
		for b.Loop() {
			SumProducts([]Product{{P: public, K: unit}, {K: &key.Key}})
		}
	})
	b.Run("revocation", func(b *testing.B) {
		for b.Loop() {
			SumProducts([]Product{{P: public, K: &key.Key}, {P: other, K: &key.Key}})
		}
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseKey(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("btcec parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := btcec.ParsePubKey(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("inverse", func(b *testing.B) {
		for b.Loop() {
			x.inverse(&x)
		}
	})
	b.Run("inversePublic", func(b *testing.B) {
		for b.Loop() {
			x.inversePublic(&x)
		}
	})
}
