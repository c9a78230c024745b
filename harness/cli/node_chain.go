package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/spf13/cobra"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/chain/corerpc"
	"superscalar/refnode/node"
	"superscalar/refnode/participant"
	"superscalar/refnode/transport"
)

// chainSettings are the flags of node that make it take part in factories.
type chainSettings struct {
	address, cookie string
	birthday        uint32
	lsps            []string
	zeroFee         bool
}

func (s *chainSettings) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.address, "chain", "", "`HOST:PORT` of a Bitcoin Core on regtest, on this machine: take part in factories")
	f.StringVar(&s.cookie, "chain-cookie", "", "`file` with its user:password (required with --chain)")
	f.Uint32Var(&s.birthday, "chain-birthday", 0, "`height` below which there is nothing of this node's")
}

// check refuses flags that make no sense together, before anything is made.
func (s chainSettings) check(c *cobra.Command) error {
	if s.address == "" {
		for _, name := range []string{"chain-cookie", "chain-birthday", "lsp", "zero-fee-commitments"} {
			if f := c.Flags().Lookup(name); f != nil && f.Changed {
				return usage(c, "--%s without --chain", name)
			}
		}
		if c.Flags().Changed("chain") {
			return usage(c, "--chain is empty")
		}
		return nil
	}
	host, port, err := net.SplitHostPort(s.address)
	if err == nil {
		var n uint64
		if n, err = strconv.ParseUint(port, 10, 16); n == 0 {
			err = errors.New("no port")
		}
	}
	switch {
	case err != nil:
		return exit(ExitUsage, "--chain %q is not HOST:PORT with a port from 1 to 65535", s.address)
	case host != "localhost" && !net.ParseIP(host).IsLoopback():
		return exit(ExitUsage, "--chain %q is not on this machine: the calls are not encrypted; use 127.0.0.1, or a tunnel", s.address)
	case s.cookie == "":
		return usage(c, "--chain needs --chain-cookie, the file .cookie in the data directory of Bitcoin Core")
	}
	_, err = s.peers()
	return err
}

// peers are the LSPs that a client takes invitations from.
func (s chainSettings) peers() ([]ceremony.Peer, error) {
	var list []ceremony.Peer
	for _, text := range s.lsps {
		id, err := transport.ParseNodeID(text)
		if err != nil {
			return nil, exit(ExitUsage, "--lsp %q: %v", text, err)
		}
		list = append(list, ceremony.Peer(id))
	}
	return list, nil
}

// factorySide is the chain and the factory side of a node, nil without --chain.
type factorySide struct {
	chain *corerpc.Client
	tell  func(string)
	*participant.Participant
}

// open connects to the chain and opens the factory side.
func (s chainSettings) open(ctx context.Context, id *identity, role node.Role, tell func(string)) (*factorySide, error) {
	backend, err := corerpc.New(ctx, corerpc.Options{
		Address: s.address, CookieFile: s.cookie, Params: &chaincfg.RegressionNetParams, Birthday: chain.Height(s.birthday),
	})
	if err != nil {
		return nil, fmt.Errorf("--chain: %w", err)
	}
	birthday, err := s.block(ctx, backend)
	if err != nil {
		return nil, errors.Join(err, backend.Close())
	}
	lsps, err := s.peers()
	if err != nil {
		return nil, errors.Join(err, backend.Close())
	}
	p, err := participant.Open(participant.Config{
		LSPs: lsps,
		Role: role, Path: id.Path(), Derive: id.DeriveKey, Rand: rand.Reader, Chain: backend, Birthday: birthday, Tell: tell,
		NodeKey: id.NodeKey(), ZeroFee: s.zeroFee,
	})
	if err != nil {
		return nil, errors.Join(err, backend.Close())
	}
	return &factorySide{backend, tell, p}, nil
}

// block is the one at the birthday.
func (s chainSettings) block(ctx context.Context, backend *corerpc.Client) (chain.BlockID, error) {
	if s.birthday == 0 {
		return chain.BlockID{}, nil
	}
	tip, err := backend.Tip(ctx)
	if err == nil && tip.Height < chain.Height(s.birthday) {
		err = fmt.Errorf("the best block has height %d", tip.Height)
	}
	var text string
	if err == nil {
		err = backend.Call(ctx, "getblockhash", &text, s.birthday)
	}
	if err != nil {
		return chain.BlockID{}, fmt.Errorf("--chain-birthday %d: %w", s.birthday, err)
	}
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil {
		return chain.BlockID{}, fmt.Errorf("--chain-birthday %d: %w", s.birthday, err)
	}
	return chain.BlockID{Height: chain.Height(s.birthday), Hash: *hash}, nil
}

func (f *factorySide) close() error {
	if f == nil {
		return nil
	}
	return errors.Join(f.Participant.Close(), f.chain.Close())
}

// attach makes the role's messages leave through the node.
func (f *factorySide) attach(n *node.Node) {
	if f != nil {
		f.Attach(func(peer ceremony.Peer) { n.Wake(transport.NodeID(peer)) })
		f.AttachOpener(n.OpenInFactory)
	}
}

// reconnect finds the peers again that the node had reached before it was stopped.
func (f *factorySide) reconnect(n *node.Node) {
	if f == nil {
		return
	}
	peers, err := f.Addresses()
	if err != nil {
		f.tell("a peer is not dialled: " + oneLine(err.Error()))
	}
	n.Reconnect(peers)
}

// member is a node with a factory side and channels, as control sees it.
type member struct {
	*node.Node
	*participant.Participant
}

// Close stops the node; the factory side ends with the process.
func (m member) Close() error { return m.Node.Close() }

// OpenChannel implements control.Payments.
func (m member) OpenChannel(peer transport.NodeID, amountSat, pushMsat uint64) error {
	return m.OpenOutside(peer, amountSat, pushMsat)
}

// intro are the lines that a person reads first.
func (f *factorySide) intro(ctx context.Context, address string) (string, error) {
	s, err := f.Standing(ctx)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "chain    %s, height %d\n", address, s.Height)
	fmt.Fprintf(&b, "wallet   %d sat; send coins to %s\n", s.Wallet.ConfirmedSat, s.Address)
	for _, x := range s.Factories {
		fmt.Fprintf(&b, "factory  %.8s, %d sat: %s\n", x.FactoryID, x.CapacitySat, x.Detail)
	}
	return b.String(), nil
}

// teller writes what happens to the log and, once people listen, to them.
type teller struct {
	log *slog.Logger

	mu  sync.Mutex
	say func(string)
}

func (t *teller) tell(text string) {
	t.log.Info("factories", "text", text)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.say != nil {
		t.say(text)
	}
}

// listen makes the teller speak.
func (t *teller) listen(say func(string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.say = say
}
