package musig

import "fmt"

// PartialSignatureSize is a partial signature in bytes.
const PartialSignatureSize = 32

// PartialSignature is one signer's share of a signature, a big-endian number.
// Bytes from the wire may be converted: what uses it checks that it is below
// the group order and names the signer if not.
type PartialSignature [PartialSignatureSize]byte

// ParsePartialSignature reads 32 bytes that are below the group order. The
// error wraps ErrPartialSignature.
func ParsePartialSignature(raw []byte) (PartialSignature, error) {
	if len(raw) != PartialSignatureSize {
		return PartialSignature{}, fmt.Errorf("%w: %d bytes, want %d",
			ErrPartialSignature, len(raw), PartialSignatureSize)
	}
	sig := PartialSignature(raw)
	if _, err := sig.scalar(); err != nil {
		return PartialSignature{}, err
	}

	return sig, nil
}

// scalar returns the number, ErrPartialSignature for n and above.
func (p PartialSignature) scalar() (scalar, error) {
	s, ok := parseScalar((*[32]byte)(&p))
	if !ok {
		return scalar{}, fmt.Errorf("%w: not below the group order",
			ErrPartialSignature)
	}

	return s, nil
}

// Session is one message, to be signed by a set of signers with one aggregate
// nonce (the Session Context of BIP-327 with its values computed). It never
// changes and may be used by many goroutines.
type Session struct {
	agg     *KeyAgg
	nonce   AggregateNonce
	message []byte

	nonceCoef scalar   // b
	r         [32]byte // x of the final nonce R
	oddNonce  bool     // R has an odd y: every signer's nonce is negated

	keyFactor   scalar // e*g*gacc, what a secret key is multiplied with
	tweakFactor scalar // e*g*tacc, what the tweaks add to the signature
}

// NewSession computes what all signatures of the message have in common. The
// message is what BIP-340 signs, for a transaction its sighash. Errors:
// ErrNoSession without keys, ErrAggregateNonce for a zero value.
func NewSession(agg *KeyAgg, nonce AggregateNonce, message [32]byte) (*Session,
	error) {

	return newSession(agg, nonce, message[:])
}

// Job is what a session is made of.
type Job struct {
	Keys    *KeyAgg
	Nonce   AggregateNonce
	Message [32]byte
}

// NewSessions is NewSession for many, on all cores. The error is that of the
// first job that has one.
func NewSessions(jobs []Job) ([]*Session, error) {
	sessions := make([]*Session, len(jobs))
	for i := range jobs {
		job := &jobs[i]
		s, err := startSession(job.Keys, job.Nonce, job.Message[:])
		if err != nil {
			return nil, err
		}
		sessions[i] = s
	}
	finishSessions(sessions)

	return sessions, nil
}

// newSession takes a message of any length, as BIP-327 does.
func newSession(agg *KeyAgg, nonce AggregateNonce, message []byte) (*Session,
	error) {

	s, err := startSession(agg, nonce, message)
	if err != nil {
		return nil, err
	}
	finishSessions([]*Session{s})

	return s, nil
}

// startSession does what comes before the final nonce.
func startSession(agg *KeyAgg, nonce AggregateNonce, message []byte) (*Session,
	error) {

	if agg == nil || agg.signers == nil {
		return nil, ErrNoSession
	}
	if !nonce.set {
		return nil, ErrAggregateNonce
	}
	s := &Session{agg: agg, nonce: nonce, message: message}
	key := agg.OutputKey()
	s.nonceCoef = hashScalar(tagNonceCoef.hash(nonce.raw[:], key[:], message))

	return s, nil
}

// finishSessions computes the final nonces R1 + b*R2, all at once, and what
// depends on them.
func finishSessions(sessions []*Session) {
	products := make([][]term, len(sessions))
	for i, s := range sessions {
		products[i] = []term{{&s.nonce.points[1], s.nonceCoef}, {&s.nonce.points[0], unit}}
	}
	for i, final := range affineAll(sums(products), false) {
		sessions[i].finish(&final)
	}
}

// finish takes the final nonce, or G where that is infinity: a signature that
// fails later names the signer, an error here could not.
func (s *Session) finish(final *point) {
	if final.isInfinity() {
		final = &generator
	}
	s.r = final.x.bytes()
	s.oddNonce = !final.hasEvenY()

	agg, key := s.agg, s.agg.OutputKey()
	e := hashScalar(tagChallenge.hash(s.r[:], key[:], s.message))
	s.tweakFactor.Mul2(&e, &agg.tweak)
	s.keyFactor = e
	if !agg.q.hasEvenY() {
		s.tweakFactor.Negate()
		s.keyFactor.Negate()
	}
	if agg.negated {
		s.keyFactor.Negate()
	}
}

// Sign uses up the secret nonce and returns the partial signature. The nonce
// is gone whatever the outcome. Errors: ErrNonceUsed, ErrSecretKey for nil,
// ErrNonceKey when the nonce was made for another key, ErrNotSigner.
//
// It does not verify its own result, which would cost a hundred times as much:
// a wrong result reveals nothing, since the nonce is fresh and never used
// again, and the complete signature is verified before anyone relies on it.
// VerifyPartial does it where that is not so.
func (s *Session) Sign(nonce *SecretNonce, key *SecretKey) (PartialSignature,
	error) {

	secret, err := nonce.use()
	if err != nil {
		return PartialSignature{}, err
	}
	defer secret.zero()
	if key.missing() {
		return PartialSignature{}, ErrSecretKey
	}
	if nonce.key != key.public.raw {
		return PartialSignature{}, ErrNonceKey
	}
	i, found := s.agg.Index(key.public)
	if !found {
		return PartialSignature{}, ErrNotSigner
	}

	sum := key.scalar()
	sum.Mul(&s.agg.signers.coefficients[i]).Mul(&s.keyFactor)
	secret[1].Mul(&s.nonceCoef).Add(&secret[0])
	if s.oddNonce {
		secret[1].Negate()
	}
	sum.Add(&secret[1])

	return PartialSignature(sum.Bytes()), nil
}

// VerifyPartial checks the partial signature of the signer with this key and
// public nonce. Errors: ErrNotSigner; a *SignerError with ErrPublicNonce for a
// zero value, or ErrPartialSignature.
func (s *Session) VerifyPartial(sig PartialSignature, nonce PublicNonce,
	key *PublicKey) error {

	i, found := s.agg.Index(key)
	if !found {
		return ErrNotSigner
	}

	return s.verifySigner(i, sig, &nonce)
}

// verifySigner checks sig*G = R1 + b*R2 + keyFactor*a*P for signer i, the sign
// of the nonce depending on the final one.
func (s *Session) verifySigner(i int, sig PartialSignature,
	nonce *PublicNonce) error {

	if nonce.IsZero() {
		return &SignerError{i, ContributionNonce, ErrPublicNonce}
	}
	number, err := sig.scalar()
	if err != nil {
		return &SignerError{i, ContributionPartial, err}
	}

	// Everything on one side, with the sign that leaves R1 positive.
	keyFactor := s.agg.signers.coefficients[i]
	keyFactor.Mul(&s.keyFactor)
	if s.oddNonce {
		keyFactor.Negate()
	} else {
		number.Negate()
	}
	total := sum(term{&nonce.points[1], s.nonceCoef},
		term{&s.agg.signers.keys[i].point, keyFactor},
		term{&generator, number},
		term{&nonce.points[0], unit})
	if !total.isInfinity() {
		return &SignerError{i, ContributionPartial, fmt.Errorf("%w: it "+
			"does not verify", ErrPartialSignature)}
	}

	return nil
}

// Combine adds the partial signatures of all signers, in their order, to the
// complete one. It checks their number (ErrSignerCount) and range (a
// *SignerError with ErrPartialSignature) and nothing else: verify the result
// with Verify or VerifyBatch, and if it fails ask Blame.
func (s *Session) Combine(partials []PartialSignature) (Signature, error) {
	if err := s.checkCount("partial signatures", len(partials)); err != nil {
		return Signature{}, err
	}
	sum := s.tweakFactor
	for i, partial := range partials {
		number, err := partial.scalar()
		if err != nil {
			return Signature{}, &SignerError{i, ContributionPartial, err}
		}
		sum.Add(&number)
	}
	var sig Signature
	copy(sig[:32], s.r[:])
	sum.PutBytesUnchecked(sig[32:])

	return sig, nil
}

// Blame returns the positions of the signers whose partial signature is
// invalid, ascending; none means that the combined signature is valid. It
// costs one partial verification per signer. Errors: ErrSignerCount; a
// *SignerError with ErrPublicNonce for a zero value; ErrAggregateNonce when
// the nonces do not add up to the session's, so that nothing can be said of
// the signers.
func (s *Session) Blame(nonces []PublicNonce, partials []PartialSignature) ([]int,
	error) {

	if err := s.checkCount("public nonces", len(nonces)); err != nil {
		return nil, err
	}
	if err := s.checkCount("partial signatures", len(partials)); err != nil {
		return nil, err
	}
	sum, err := AggregateNonces(nonces)
	if err != nil {
		return nil, err
	}
	if sum.raw != s.nonce.raw {
		return nil, fmt.Errorf("%w: not the sum of the public nonces",
			ErrAggregateNonce)
	}
	var guilty []int
	for i := range partials {
		if s.verifySigner(i, partials[i], &nonces[i]) != nil {
			guilty = append(guilty, i)
		}
	}

	return guilty, nil
}

// checkCount compares a number of contributions with the number of signers.
func (s *Session) checkCount(what string, got int) error {
	if want := s.agg.Size(); got != want {
		return fmt.Errorf("%w: %d %s from %d signers", ErrSignerCount, got,
			what, want)
	}

	return nil
}

// Verify checks a complete signature of the session's message under the output
// key. The error wraps ErrSignature.
func (s *Session) Verify(sig Signature) error {
	return verify(&sig, s.agg.OutputKey(), s.message)
}

// Item returns the signature with the session's key and message, for
// VerifyBatch.
func (s *Session) Item(sig Signature) Item {
	return Item{Signature: sig, Key: s.agg.OutputKey(),
		Message: [32]byte(s.message)}
}
