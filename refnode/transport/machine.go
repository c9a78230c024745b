package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/lightningnetwork/lnd/brontide"
	"github.com/lightningnetwork/lnd/keychain"
	"superscalar/wire/rule"
)

const (
	// headerSize is the encrypted length of a message with its tag, and
	// tagSize the tag alone, in bytes (BOLT 8).
	headerSize = 2 + tagSize
	tagSize    = 16

	// rotationInterval is the number of messages under one key (BOLT 8,
	// "Lightning Message Key Rotation").
	rotationInterval = 500
)

// stage is what a Machine does next.
type stage int

const (
	stageStart stage = iota // initiator: send act one
	stageActOne
	stageActTwo
	stageActThree
	stageOpen   // handshake complete
	stageFailed // no further use
)

// Machine is one side of a BOLT 8 connection without a socket: it is fed the
// bytes of the peer and returns the bytes to send. It holds no lock; one
// goroutine may encrypt while another decrypts.
type Machine struct {
	noise  *brontide.Machine
	stage  stage
	rules  rule.Set
	local  NodeID
	remote NodeID
	sent   uint64 // messages encrypted, counted for ruleRotate
}

// NewInitiator returns the side that dials. The ephemeral key is for vectors;
// nil draws a fresh one, as BOLT 8 demands. The zero rules are all rules. The error says that remote is not
// a key (ErrNodeID) or that localKey is missing (ErrNoKey).
func NewInitiator(localKey *btcec.PrivateKey, remote NodeID,
	ephemeral *btcec.PrivateKey, rules rule.Set) (*Machine, error) {

	if localKey == nil {
		return nil, ErrNoKey
	}
	remoteKey, err := remote.PublicKey()
	if err != nil {
		return nil, err
	}
	m := newMachine(localKey, remoteKey, ephemeral, rules)
	m.stage, m.remote = stageStart, remote

	return m, nil
}

// NewResponder returns the side that is dialled. The arguments are those of
// NewInitiator.
func NewResponder(localKey, ephemeral *btcec.PrivateKey,
	rules rule.Set) (*Machine, error) {

	if localKey == nil {
		return nil, ErrNoKey
	}
	m := newMachine(localKey, nil, ephemeral, rules)
	m.stage = stageActOne

	return m, nil
}

// newMachine builds what both sides share. A nil remoteKey is the responder.
func newMachine(localKey *btcec.PrivateKey, remoteKey *btcec.PublicKey,
	ephemeral *btcec.PrivateKey, rules rule.Set) *Machine {

	generate := btcec.NewPrivateKey
	if ephemeral != nil {
		generate = func() (*btcec.PrivateKey, error) {
			return ephemeral, nil
		}
	}

	return &Machine{
		noise: brontide.NewBrontideMachine(
			remoteKey != nil,
			&keychain.PrivKeyECDH{PrivKey: localKey}, remoteKey,
			brontide.EphemeralGenerator(generate),
		),
		rules: rules,
		local: NodeIDOf(localKey.PubKey()),
	}
}

// LocalID returns the id of this side.
func (m *Machine) LocalID() NodeID { return m.local }

// RemoteID returns the id of the other side. A responder knows it once Done
// is true; before that it is the zero value.
func (m *Machine) RemoteID() NodeID { return m.remote }

// Done reports whether the handshake is complete.
func (m *Machine) Done() bool { return m.stage == stageOpen }

// Need returns the exact size in bytes of the act that Feed expects, 0 when
// it expects none.
func (m *Machine) Need() int {
	switch m.stage {
	case stageActOne:
		return brontide.ActOneSize
	case stageActTwo:
		return brontide.ActTwoSize
	case stageActThree:
		return brontide.ActThreeSize
	default:
		return 0
	}
}

// Start returns act one of an initiator (50 bytes), and nothing for a
// responder, who speaks second.
func (m *Machine) Start() ([]byte, error) {
	switch m.stage {
	case stageStart:
		m.stage = stageFailed
		act, err := m.noise.GenActOne()
		if err != nil {
			return nil, fmt.Errorf("make act one: %w", err)
		}
		m.stage = stageActTwo

		return act[:], nil

	case stageActOne:
		return nil, nil

	default:
		return nil, fmt.Errorf("%w: start", ErrOutOfTurn)
	}
}

// Feed takes the next act of the peer and returns the answer to send, which
// is empty after act three. An act that fails a check gives a
// *HandshakeError, after which the Machine is of no further use and the
// connection has to be closed without an answer. An act of any size but Need
// bytes is a failed read.
func (m *Machine) Feed(act []byte) ([]byte, error) {
	if m.Need() == 0 {
		return nil, fmt.Errorf("%w: no act expected", ErrOutOfTurn)
	}
	if len(act) != m.Need() {
		return nil, m.fail("READ_FAILED", fmt.Errorf("the act has %d "+
			"bytes, want exactly %d", len(act), m.Need()))
	}
	act = bytes.Clone(act)
	if act[0] != brontide.HandshakeVersion {
		if m.rules.On(ruleOf(m.class("BAD_VERSION"))) {
			return nil, m.fail("BAD_VERSION", fmt.Errorf("version "+
				"byte is %d, only 0 is known", act[0]))
		}
		act[0] = brontide.HandshakeVersion
	}

	switch m.stage {
	case stageActOne:
		return m.actOne([brontide.ActOneSize]byte(act))
	case stageActTwo:
		return m.actTwo([brontide.ActTwoSize]byte(act))
	default:
		return nil, m.actThree([brontide.ActThreeSize]byte(act))
	}
}

// actOne is the responder's first step; it returns act two.
func (m *Machine) actOne(act [brontide.ActOneSize]byte) ([]byte, error) {
	if err := m.checkPoint(act[1:34]); err != nil {
		return nil, err
	}
	if err := m.noise.RecvActOne(act); err != nil {
		return nil, m.fail("BAD_TAG", fmt.Errorf("the tag does not "+
			"verify: the initiator wants another node id: %w", err))
	}
	reply, err := m.noise.GenActTwo()
	if err != nil {
		m.stage = stageFailed
		return nil, fmt.Errorf("make act two: %w", err)
	}
	m.stage = stageActThree

	return reply[:], nil
}

// actTwo is the initiator's second step; it returns act three.
func (m *Machine) actTwo(act [brontide.ActTwoSize]byte) ([]byte, error) {
	if err := m.checkPoint(act[1:34]); err != nil {
		return nil, err
	}
	if err := m.noise.RecvActTwo(act); err != nil {
		return nil, m.fail("BAD_TAG", fmt.Errorf("the tag does not "+
			"verify: %w", err))
	}
	reply, err := m.noise.GenActThree()
	if err != nil {
		m.stage = stageFailed
		return nil, fmt.Errorf("make act three: %w", err)
	}
	m.stage = stageOpen

	return reply[:], nil
}

// actThree is the responder's last step.
//
// brontide neither tells the three failures of act three apart nor gives the
// static key away. So the first step is done on a copy of its state: that is
// a plain value, and the copy is thrown away.
func (m *Machine) actThree(act [brontide.ActThreeSize]byte) error {
	probe := *m.noise
	static, err := probe.DecryptAndHash(act[1:50])
	if err != nil {
		return m.fail("BAD_CIPHERTEXT", fmt.Errorf("the encrypted node "+
			"id does not verify: %w", err))
	}
	if err := m.checkPoint(static); err != nil {
		return err
	}
	if err := m.noise.RecvActThree(act); err != nil {
		return m.fail("BAD_TAG", fmt.Errorf("the tag does not verify: "+
			"%w", err))
	}
	m.stage, m.remote = stageOpen, NodeID(static)

	return nil
}

// checkPoint refuses a key that is not a compressed point.
func (m *Machine) checkPoint(key []byte) error {
	if _, err := btcec.ParsePubKey(key); err != nil {
		return m.fail("BAD_PUBKEY", fmt.Errorf("the key %x is not a "+
			"compressed point: %w", key, err))
	}

	return nil
}

// fail ends the handshake with the class of the act that was expected.
func (m *Machine) fail(check string, err error) error {
	failed := &HandshakeError{Class: m.class(check), Err: err}
	m.stage = stageFailed

	return failed
}

// class names a failed check of the act that is expected.
func (m *Machine) class(check string) string {
	return fmt.Sprintf("ACT%d_%s", m.stage-stageActOne+1, check)
}

// EncryptMessage returns the frame that carries one message of 0 to
// MaxMessageSize bytes: len(plain) + 34 bytes. Errors: ErrMessageTooLarge,
// ErrOutOfTurn before the handshake is done.
func (m *Machine) EncryptMessage(plain []byte) ([]byte, error) {
	if !m.Done() {
		return nil, fmt.Errorf("%w: no message before the handshake "+
			"is done", ErrOutOfTurn)
	}
	if len(plain) > MaxMessageSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d",
			ErrMessageTooLarge, len(plain), MaxMessageSize)
	}
	if err := m.noise.WriteMessage(plain); err != nil {
		return nil, fmt.Errorf("encrypt message: %w", err)
	}

	// brontide keeps what Flush could not write for a later call. A
	// buffer takes everything, so that state never arises here.
	var frame bytes.Buffer
	frame.Grow(headerSize + len(plain) + tagSize)
	if _, err := m.noise.Flush(&frame); err != nil {
		return nil, fmt.Errorf("encrypt message: %w", err)
	}
	if !m.rules.On(ruleRotate) {
		// To its peer, a side that forgets to rotate looks like this.
		if m.sent >= rotationInterval {
			frame.Bytes()[0] ^= 0xff
		}
		m.sent++
	}

	return frame.Bytes(), nil
}

// DecryptMessage takes the next frame from the front of stream and returns the
// message and the bytes behind the frame. An empty stream gives io.EOF, one
// that ends inside the frame io.ErrUnexpectedEOF, a frame that does not verify
// ErrBadMAC. After the last two the Machine cannot decrypt any more.
func (m *Machine) DecryptMessage(stream []byte) (plain, rest []byte, err error) {
	if len(stream) == 0 {
		return nil, nil, io.EOF
	}
	if len(stream) < headerSize {
		return nil, nil, io.ErrUnexpectedEOF
	}
	size, err := m.decryptHeader(stream[:headerSize])
	if err != nil {
		return nil, nil, err
	}
	if stream = stream[headerSize:]; len(stream) < size {
		return nil, nil, io.ErrUnexpectedEOF
	}
	plain, err = m.decryptBody(bytes.Clone(stream[:size]))
	if err != nil {
		return nil, nil, err
	}

	return plain, stream[size:], nil
}

// decryptHeader returns the size in bytes of the encrypted message that
// follows, tag included.
func (m *Machine) decryptHeader(header []byte) (int, error) {
	if !m.Done() {
		return 0, fmt.Errorf("%w: no message before the handshake is "+
			"done", ErrOutOfTurn)
	}
	size, err := m.noise.ReadHeader(bytes.NewReader(header))
	if err != nil {
		return 0, fmt.Errorf("%w: length prefix", ErrBadMAC)
	}

	return int(size), nil
}

// decryptBody decrypts a message in place and returns it.
func (m *Machine) decryptBody(body []byte) ([]byte, error) {
	// brontide reads before it decrypts in the same buffer, so reader and
	// buffer may be the same memory.
	plain, err := m.noise.ReadBody(bytes.NewReader(body), body)
	if err != nil {
		return nil, fmt.Errorf("%w: message", ErrBadMAC)
	}

	return plain, nil
}

// readFailed is the failure of an act of which only n bytes came.
func (m *Machine) readFailed(n int, err error) error {
	if errors.Is(err, io.EOF) && n > 0 {
		err = io.ErrUnexpectedEOF
	}

	return m.fail("READ_FAILED", fmt.Errorf("got %d of %d bytes: %w", n,
		m.Need(), err))
}
