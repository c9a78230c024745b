package ceremony

import (
	"io"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// signer is one participant's side of one phase: its secret nonces and, once
// the aggregate is known, its sessions. A secret nonce is used at most once
// (CER-021): musig refuses a second use and forget drops them all.
type signer struct {
	slots    []*factory.Tx
	secret   []*musig.SecretNonce
	public   []musig.PublicNonce
	sessions []*musig.Session
}

// newSigner draws nonces for the slots (SIGN-002).
func newSigner(rand io.Reader, key *musig.SecretKey, slots []*factory.Tx) (*signer, error) {
	s := &signer{slots: slots}
	inputs := make([]musig.NonceInput, len(slots))
	for i, t := range slots {
		out := t.Key.OutputKey()
		inputs[i] = musig.NonceInput{SecretKey: key, AggregateKey: out[:], Message: t.Sighash[:]}
	}
	var err error
	s.secret, s.public, err = musig.NonceGenAll(rand, inputs)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *signer) nonces() [][66]byte {
	out := make([][66]byte, len(s.public))
	for i, n := range s.public {
		out[i] = n.Bytes()
	}
	return out
}

// open starts the sessions with the aggregate nonces.
func (s *signer) open(aggregates []musig.AggregateNonce) (err error) {
	jobs := make([]musig.Job, len(s.slots))
	for i, t := range s.slots {
		jobs[i] = musig.Job{Keys: t.Key, Nonce: aggregates[i], Message: t.Sighash}
	}
	s.sessions, err = musig.NewSessions(jobs)

	return err
}

// sign uses up the secret nonces.
func (s *signer) sign(key *musig.SecretKey) ([][32]byte, error) {
	out := make([][32]byte, len(s.slots))
	for i, session := range s.sessions {
		partial, err := session.Sign(s.secret[i], key)
		if err != nil {
			return nil, err
		}
		out[i] = partial
	}
	return out, nil
}

// forget drops the secret nonces.
func (s *signer) forget() {
	if s == nil {
		return
	}
	for _, n := range s.secret {
		n.Discard()
	}
}

// parseAggregates reads the LSP's answer (SIGN-004, CER-020).
func parseAggregates(raw [][66]byte, want int) ([]musig.AggregateNonce, error) {
	if len(raw) != want {
		return nil, fail(wire.ReasonNonces, rule.CER020, "%d aggregate nonces, %d slots", len(raw), want)
	}
	out := make([]musig.AggregateNonce, want)
	for i := range raw {
		n, err := musig.ParseAggregateNonce(raw[i][:])
		if err != nil {
			return nil, fail(wire.ReasonNonces, rule.SIGN004, "aggregate nonce %d: %w", i, err)
		}
		out[i] = n
	}
	return out, nil
}

// checkSignatures checks the complete signatures of the slots (SIGN-007).
func checkSignatures(slots []*factory.Tx, raw [][64]byte, rand io.Reader) error {
	if len(raw) != len(slots) {
		return fail(wire.ReasonSignature, rule.CER022, "%d signatures, %d slots", len(raw), len(slots))
	}
	items := make([]musig.Item, len(slots))
	for i, t := range slots {
		items[i] = musig.Item{Signature: raw[i], Key: t.Key.OutputKey(), Message: t.Sighash}
	}
	if err := musig.VerifyBatch(items, rand); err != nil {
		return fail(wire.ReasonSignature, rule.SIGN007, "%w", err)
	}
	return nil
}
