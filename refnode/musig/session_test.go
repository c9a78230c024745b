package musig

import (
	"errors"
	"slices"
	"testing"
)

// above is the group order, the smallest number that is out of range.
func above(t testing.TB) (s [32]byte) {
	t.Helper()
	return [32]byte(unhex(t, "fffffffffffffffffffffffffffffffe"+
		"baaedce6af48a03bbfd25e8cd0364141"))
}

func TestSessionRefuses(t *testing.T) {
	p := newParty(t, "session", 3)
	stranger := secretKey(t, "stranger", 0)
	t.Run("no keys", func(t *testing.T) {
		for _, agg := range []*KeyAgg{nil, {}} {
			if _, err := NewSession(agg, p.session.nonce,
				[32]byte{}); !errors.Is(err, ErrNoSession) {
				t.Fatal(err)
			}
		}
	})
	t.Run("no aggregate nonce", func(t *testing.T) {
		if _, err := NewSession(p.agg, AggregateNonce{},
			[32]byte{}); !errors.Is(err, ErrAggregateNonce) {
			t.Fatal(err)
		}
	})
	t.Run("stranger signs", func(t *testing.T) {
		nonce, _ := newNonce(t, stranger)
		if _, err := p.session.Sign(nonce, stranger); !errors.Is(err,
			ErrNotSigner) {
			t.Fatal(err)
		}
	})
	t.Run("stranger verifies", func(t *testing.T) {
		for _, key := range []*PublicKey{nil, {}, stranger.PublicKey()} {
			if err := p.session.VerifyPartial(p.partials[0], p.nonces[0],
				key); !errors.Is(err, ErrNotSigner) {
				t.Fatal(err)
			}
		}
	})
	t.Run("out of range", func(t *testing.T) {
		err := p.session.VerifyPartial(above(t), p.nonces[2], p.keys[2])
		wantSigner(t, err, 2, ContributionPartial, ErrPartialSignature)
		_, err = p.session.Combine([]PartialSignature{p.partials[0],
			above(t), p.partials[2]})
		wantSigner(t, err, 1, ContributionPartial, ErrPartialSignature)
	})
	t.Run("zero nonce", func(t *testing.T) {
		err := p.session.VerifyPartial(p.partials[1], PublicNonce{}, p.keys[1])
		wantSigner(t, err, 1, ContributionNonce, ErrPublicNonce)
		_, err = p.session.Blame([]PublicNonce{p.nonces[0], {},
			p.nonces[2]}, p.partials)
		wantSigner(t, err, 1, ContributionNonce, ErrPublicNonce)
	})
	t.Run("counts", func(t *testing.T) {
		if _, err := p.session.Combine(p.partials[:2]); !errors.Is(err,
			ErrSignerCount) {
			t.Fatal(err)
		}
		if _, err := p.session.Combine(nil); !errors.Is(err, ErrSignerCount) {
			t.Fatal(err)
		}
		if _, err := p.session.Blame(p.nonces[:2],
			p.partials); !errors.Is(err, ErrSignerCount) {
			t.Fatal(err)
		}
		if _, err := p.session.Blame(p.nonces, append(p.partials[:3:3],
			p.partials[0])); !errors.Is(err, ErrSignerCount) {
			t.Fatal(err)
		}
	})
	t.Run("the aggregator lied", func(t *testing.T) {
		nonces := slices.Clone(p.nonces)
		nonces[1] = nonces[0]
		guilty, err := p.session.Blame(nonces, p.partials)
		if !errors.Is(err, ErrAggregateNonce) || guilty != nil {
			t.Fatalf("blamed %v, %v", guilty, err)
		}
	})
}

// TestPartialsAreBound verifies a partial signature with one thing changed at
// a time.
func TestPartialsAreBound(t *testing.T) {
	p := newParty(t, "bound", 3)
	plain := must(Aggregate(p.keys))(t)
	fewer := must(Aggregate(p.keys[:2]))(t)
	tapped := must(fewer.Taproot(nil))(t)
	sum := p.session.nonce
	other := newParty(t, "bound", 3)
	other.sign(t, "again")
	message := number("bound", 1<<20)
	sessions := map[string]*Session{
		"message":   must(NewSession(p.agg, sum, number("bound", 7)))(t),
		"tweak":     must(NewSession(plain, sum, message))(t),
		"key set":   must(NewSession(tapped, sum, message))(t),
		"aggregate": must(NewSession(p.agg, other.session.nonce, message))(t),
	}
	for name, session := range sessions {
		t.Run(name, func(t *testing.T) {
			err := session.VerifyPartial(p.partials[0], p.nonces[0], p.keys[0])
			wantSigner(t, err, 0, ContributionPartial, ErrPartialSignature)
		})
	}
	t.Run("nonce", func(t *testing.T) {
		err := p.session.VerifyPartial(p.partials[0], p.nonces[1], p.keys[0])
		wantSigner(t, err, 0, ContributionPartial, ErrPartialSignature)
	})
	t.Run("signer", func(t *testing.T) {
		err := p.session.VerifyPartial(p.partials[0], p.nonces[0], p.keys[1])
		wantSigner(t, err, 1, ContributionPartial, ErrPartialSignature)
	})
	t.Run("nothing changed", func(t *testing.T) {
		if err := p.session.VerifyPartial(p.partials[0], p.nonces[0],
			p.keys[0]); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCancellingNonces has one signer cancel the nonces of the others, so that
// the final nonce is G: its partial signature cannot be right, and only its.
func TestCancellingNonces(t *testing.T) {
	p := newParty(t, "cancel", 3)
	var honest [2]jacobian
	for _, nonce := range p.nonces[:2] {
		for i := range honest {
			honest[i].add(&nonce.points[i])
		}
	}
	var raw [PublicNonceSize]byte
	for i := range honest {
		opposite := honest[i].affine()
		opposite.neg(&opposite)
		half := opposite.compress()
		copy(raw[33*i:], half[:])
	}
	nonces := slices.Clone(p.nonces)
	nonces[2] = must(ParsePublicNonce(raw[:]))(t)
	sum := must(AggregateNonces(nonces))(t)
	if sum.Bytes() != [PublicNonceSize]byte{} {
		t.Fatalf("the nonces add up to %v", sum)
	}
	session := must(NewSession(p.agg, sum, number("cancel", 0)))(t)
	random := seeded("cancel") // the nonces of newParty once more
	partials := make([]PartialSignature, 3)
	for i, secret := range p.secrets {
		nonce, _, err := NonceGen(random, NonceInput{SecretKey: secret})
		if err != nil {
			t.Fatal(err)
		}
		partials[i] = must(session.Sign(nonce, secret))(t)
	}
	guilty, err := session.Blame(nonces, partials)
	if err != nil || !slices.Equal(guilty, []int{2}) {
		t.Fatalf("blamed %v, %v", guilty, err)
	}
}

func TestPartialSignatureParsing(t *testing.T) {
	order := above(t)
	below := order
	below[31]--
	rows := []struct {
		name string
		raw  []byte
		ok   bool
	}{
		{"zero", make([]byte, 32), true},
		{"n - 1", below[:], true},
		{"n", order[:], false},
		{"31 bytes", make([]byte, 31), false},
		{"33 bytes", make([]byte, 33), false},
		{"nothing", nil, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			sig, err := ParsePartialSignature(row.raw)
			if row.ok != (err == nil) || err != nil &&
				!errors.Is(err, ErrPartialSignature) {
				t.Fatal(err)
			}
			if row.ok && string(sig[:]) != string(row.raw) {
				t.Fatalf("parsed %x", sig)
			}
		})
	}
}

// TestNewSessions compares with sessions made one by one, and asks which job
// is refused.
func TestNewSessions(t *testing.T) {
	p := newParty(t, "jobs", 3)
	var jobs []Job
	for i := range 5 {
		jobs = append(jobs, Job{p.agg, p.session.nonce, number("message", i)})
	}
	for i, got := range must(NewSessions(jobs))(t) {
		want := must(NewSession(p.agg, p.session.nonce, jobs[i].Message))(t)
		if got.r != want.r || got.oddNonce != want.oddNonce || got.nonceCoef != want.nonceCoef ||
			got.keyFactor != want.keyFactor || got.tweakFactor != want.tweakFactor ||
			string(got.message) != string(want.message) {

			t.Fatalf("session %d differs", i)
		}
	}
	if got := must(NewSessions(nil))(t); len(got) != 0 {
		t.Fatalf("%d sessions of no job", len(got))
	}
	jobs[3].Nonce = AggregateNonce{}
	if _, err := NewSessions(jobs); !errors.Is(err, ErrAggregateNonce) {
		t.Fatalf("a zero nonce: %v", err)
	}
	jobs[3].Keys = nil
	if _, err := NewSessions(jobs); !errors.Is(err, ErrNoSession) {
		t.Fatalf("no keys: %v", err)
	}
}
