package corerpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"sync"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// codeNotFound is RPC_INVALID_ADDRESS_OR_KEY, which stands for every block or transaction that the node does not have.
const codeNotFound = -5

// codeInternal is an error that the node did not foresee.
const codeInternal = -32603

// behindAttempts is how often a node that is behind is asked before that counts.
const behindAttempts = 25

// header is what is remembered of a block.
type header struct {
	chain.BlockID
	previous chainhash.Hash
	bits     uint32
}

// view is what the node has shown of its chain: every header seen, about 100 bytes each, and the last tip.
type view struct {
	gate gate           // held while the tip is looked up, so that two answers are not taken in the wrong order
	last chainhash.Hash // zero before the first tip

	mu      sync.Mutex
	headers map[chainhash.Hash]header
}

func newView() view {
	return view{gate: newGate(), headers: make(map[chainhash.Hash]header)}
}

func (c *Client) bestHash(ctx context.Context) (chainhash.Hash, error) {
	const method = "getbestblockhash"
	var text string
	if err := c.call(ctx, method, &text); err != nil {
		return chainhash.Hash{}, err
	}
	return parseHash(method, "result", text)
}

// hashAt asks for the block of the best chain at a height.
func (c *Client) hashAt(ctx context.Context, height chain.Height) (chainhash.Hash, error) {
	const method = "getblockhash"
	var text string
	if err := c.call(ctx, method, &text, height); err != nil {
		return chainhash.Hash{}, err
	}
	return parseHash(method, "result", text)
}

// header returns a header, from memory where possible.
func (c *Client) header(ctx context.Context, hash chainhash.Hash) (header, error) {
	c.view.mu.Lock()
	known, ok := c.view.headers[hash]
	c.view.mu.Unlock()
	if ok {
		return known, nil
	}
	h, err := c.fetchHeader(ctx, hash)
	if err != nil {
		return header{}, err
	}
	c.view.mu.Lock()
	defer c.view.mu.Unlock()
	c.view.headers[hash] = h
	return h, nil
}

// fetchHeader asks for a header and hashes it again. Only its height has to be believed until it meets a neighbour.
func (c *Client) fetchHeader(ctx context.Context, hash chainhash.Hash) (header, error) {
	const method = "getblockheader"
	var a struct {
		Height     *int64 `json:"height"`
		Version    int32  `json:"version"`
		MerkleRoot string `json:"merkleroot"`
		Time       uint32 `json:"time"`
		Nonce      uint32 `json:"nonce"`
		Bits       string `json:"bits"`
		Previous   string `json:"previousblockhash"`
	}
	err := c.call(ctx, method, &a, hash.String(), true)
	if code, ok := reported(err); ok && code == codeInternal {
		return c.lostHeader(ctx, hash) // btcd has no height for it
	}
	if err != nil {
		return header{}, err
	}
	if a.Height == nil || *a.Height < 0 || *a.Height > math.MaxInt32 {
		return header{}, malformed(method, "block %v has no usable height", hash)
	}
	root, err := parseHash(method, "merkleroot", a.MerkleRoot)
	if err != nil {
		return header{}, err
	}
	var previous chainhash.Hash
	if *a.Height > 0 {
		if previous, err = parseHash(method, "previousblockhash", a.Previous); err != nil {
			return header{}, err
		}
	}
	bits, err := strconv.ParseUint(a.Bits, 16, 32)
	if err != nil {
		return header{}, malformed(method, "bits %q are not hex", quote(a.Bits))
	}
	again := wire.BlockHeader{Version: a.Version, PrevBlock: previous, MerkleRoot: root,
		Timestamp: time.Unix(int64(a.Time), 0), Bits: uint32(bits), Nonce: a.Nonce}
	if got := again.BlockHash(); got != hash {
		return header{}, contradiction(method, "header of block %v, asked was %v", got, hash)
	}
	return header{BlockID: chain.BlockID{Height: chain.Height(*a.Height), Hash: hash}, previous: previous, bits: uint32(bits)}, nil
}

// Header asks for the 80 bytes of a header, of the best chain or not, and hashes them.
func (c *Client) Header(ctx context.Context, hash chainhash.Hash) (wire.BlockHeader, error) {
	const method = "getblockheader"
	if err := c.enter(ctx); err != nil {
		return wire.BlockHeader{}, fmt.Errorf("%s: %w", method, err)
	}
	var text string
	if err := c.call(ctx, method, &text, hash.String(), false); err != nil {
		return wire.BlockHeader{}, err
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != wire.MaxBlockHeaderPayload {
		return wire.BlockHeader{}, malformed(method, "block %v has a header of %d characters", hash, len(text))
	}
	var h wire.BlockHeader
	if err := h.Deserialize(bytes.NewReader(raw)); err != nil {
		return wire.BlockHeader{}, malformed(method, "block %v has an unreadable header", hash)
	}
	if got := h.BlockHash(); got != hash {
		return wire.BlockHeader{}, contradiction(method, "header of block %v, asked was %v", got, hash)
	}
	return h, nil
}

// lostHeader is for a node that gives no height for a block outside the best chain: it is one above the block below.
func (c *Client) lostHeader(ctx context.Context, hash chainhash.Hash) (header, error) {
	h, err := c.Header(ctx, hash)
	if err != nil {
		return header{}, err
	}
	below, err := c.header(ctx, h.PrevBlock)
	if err != nil {
		return header{}, err
	}
	return header{BlockID: chain.BlockID{Height: below.Height + 1, Hash: hash}, previous: h.PrevBlock, bits: h.Bits}, nil
}

// parent returns the header below.
func (c *Client) parent(ctx context.Context, h header) (header, error) {
	const method = "getblockheader"
	if h.Height == 0 {
		return header{}, contradiction(method, "block %v is at height 0 and is not the block %v", h.Hash, c.genesis)
	}
	below, err := c.header(ctx, h.previous)
	if code, ok := reported(err); ok && code == codeNotFound {
		return header{}, contradiction(method, "block %v below block %v of the same node is unknown to it", h.previous, h.Hash)
	}
	if err != nil {
		return header{}, err
	}
	if below.Height+1 != h.Height {
		c.forget(h.Hash, below.Hash)
		return header{}, contradiction(method, "block %v is at height %d, the one below it at %d", h.Hash, h.Height, below.Height)
	}
	return below, nil
}

// tip asks for the tip. It fails with ErrBehind when its chain has less work than that of the last tip, also when asked again: btcd
// shows every step on its way down and up during a reorganisation, while Bitcoin Core shows only the end.
func (c *Client) tip(ctx context.Context) (now header, err error) {
	if err := c.view.gate.enter(ctx); err != nil {
		return header{}, err
	}
	defer c.view.gate.leave()
	for range behindAttempts {
		if now, err = c.nextTip(ctx); !errors.Is(err, ErrBehind) {
			break
		}
	}
	return now, err
}

// nextTip asks once. The caller is inside the gate.
func (c *Client) nextTip(ctx context.Context) (header, error) {
	best, err := c.bestHash(ctx)
	if err != nil {
		return header{}, err
	}
	now, err := c.header(ctx, best)
	if err != nil {
		return header{}, err
	}
	if err := c.ahead(ctx, now); err != nil {
		return header{}, err
	}
	c.view.last = now.Hash
	return now, nil
}

// ahead asks that a new tip has at least the work of the last one.
func (c *Client) ahead(ctx context.Context, now header) error {
	if c.view.last == (chainhash.Hash{}) || c.view.last == now.Hash {
		return nil
	}
	last, err := c.header(ctx, c.view.last)
	if err != nil {
		return err
	}
	off, on, err := c.path(ctx, last, now)
	if err != nil {
		return err
	}
	if work(on).Cmp(work(off)) < 0 {
		return &CallError{Call: "getbestblockhash", Kind: ErrBehind,
			Detail: fmt.Sprintf("best block %v at height %d, before it was %v at height %d", now.Hash, now.Height, last.Hash, last.Height)}
	}
	return nil
}

// forget drops headers of which one at least has a wrong height: the node may say better next time.
func (c *Client) forget(hashes ...chainhash.Hash) {
	c.view.mu.Lock()
	defer c.view.mu.Unlock()
	for _, hash := range hashes {
		delete(c.view.headers, hash)
	}
}

func work(branch []header) *big.Int {
	sum := new(big.Int)
	for _, h := range branch {
		sum.Add(sum, blockchain.CalcWork(h.bits))
	}
	return sum
}

// path leads from one block to another: off are the blocks to leave, on those to enter, both highest first.
func (c *Client) path(ctx context.Context, from, to header) (off, on []header, err error) {
	for from.Hash != to.Hash {
		if from.Height >= to.Height {
			off = append(off, from)
			from, err = c.parent(ctx, from)
		} else {
			on = append(on, to)
			to, err = c.parent(ctx, to)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return off, on, nil
}

// down lists the blocks from the tip down to a height, highest first.
func (c *Client) down(ctx context.Context, tip header, height chain.Height) ([]header, error) {
	var list []header
	for at := tip; at.Height >= height; {
		list = append(list, at)
		if at.Height == 0 {
			if at.Hash != c.genesis {
				return nil, contradiction("getblockheader", "block %v is at height 0 and is not the block %v", at.Hash, c.genesis)
			}
			break
		}
		below, err := c.parent(ctx, at)
		if err != nil {
			return nil, err
		}
		at = below
	}
	return list, nil
}

// block fetches a block.
func (c *Client) block(ctx context.Context, h header) (chain.Block, error) {
	const method = "getblock"
	var text string
	if err := c.call(ctx, method, &text, h.Hash.String(), 0); err != nil {
		return chain.Block{}, err
	}
	msg, err := parseBlock(method, text, h.Hash, c.options.Params)
	if err != nil {
		return chain.Block{}, err
	}
	return chain.Block{BlockID: h.BlockID, Previous: msg.Header.PrevBlock, Transactions: msg.Transactions}, nil
}

// Since implements chain.Interface. A block that is connected or disconnected and that the node has pruned is an ErrReported.
func (c *Client) Since(ctx context.Context, from chain.BlockID) (chain.Update, error) {
	update, err := c.since(ctx, from)
	if err != nil {
		return chain.Update{}, fmt.Errorf("look up blocks since %v: %w", from.Hash, err)
	}
	return update, nil
}

func (c *Client) since(ctx context.Context, from chain.BlockID) (update chain.Update, err error) {
	if err := c.enter(ctx); err != nil {
		return update, err
	}
	tip, err := c.tip(ctx)
	if err != nil {
		return update, err
	}
	var off, on []header
	if from.Hash == (chainhash.Hash{}) {
		on, err = c.down(ctx, tip, 0)
	} else {
		var start header
		start, err = c.header(ctx, from.Hash)
		if code, ok := reported(err); ok && code == codeNotFound {
			return update, fmt.Errorf("%w: %w", chain.ErrUnknownBlock, err)
		}
		if err == nil {
			off, on, err = c.path(ctx, start, tip)
		}
	}
	if err != nil {
		return update, err
	}
	update.Tip = tip.BlockID
	if update.More = len(on) > chain.MaxUpdate; update.More {
		on = on[len(on)-chain.MaxUpdate:] // the lowest
		update.Tip = on[0].BlockID
	}
	for _, h := range off {
		block, err := c.block(ctx, h)
		if err != nil {
			return chain.Update{}, err
		}
		update.Disconnected = append(update.Disconnected, block)
	}
	for i := len(on) - 1; i >= 0; i-- {
		block, err := c.block(ctx, on[i])
		if err != nil {
			return chain.Update{}, err
		}
		update.Connected = append(update.Connected, block)
	}
	return update, nil
}
