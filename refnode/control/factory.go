package control

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"

	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// Factories is what a Node has beside its connections when it was started with
// a chain: *participant.Participant is one. Its methods return when a ceremony
// has begun; how it goes is in Standing.
type Factories interface {
	// Found begins to create a factory.
	Found(Order) (wire.CeremonyID, error)
	// Sell begins to move liquidity to a client inside a factory.
	Sell(Sale) (wire.CeremonyID, error)
	// Leave begins a client's way out.
	Leave(Departure) (Leaving, error)
	// Standing says what the node has.
	Standing(ctx context.Context) (Standing, error)
}

// Order is a factory that an LSP shall create.
type Order struct {
	Clients     []transport.NodeID // 1 to 1,024, each once, in client order
	CapacitySat uint64             // of the channel of each client, in sat
	StockSat    uint64             // for sale, for each client of a group, in sat
	Shape       factory.Shape      // without levels: the recommended one
}

// Sale is liquidity that an LSP shall move to a client.
type Sale struct {
	Peer      transport.NodeID
	AmountSat uint64
	Factory   *wire.CeremonyID // nil: the only one with the client
	// From is a client of the group whose stock gives, anywhere in the factory; nil:
	// the buyer's own group.
	From *transport.NodeID
}

// Standing is what status says of a node with a factory side.
type Standing struct {
	// Height is that of the best block, 0 while the chain does not answer.
	Height     uint32           `json:"height"`
	Factories  []FactoryStatus  `json:"factories"`
	Ceremonies []CeremonyStatus `json:"ceremonies"`
	Wallet     WalletStatus     `json:"wallet"`
	Address    string           `json:"address"` // where to send coins
	Chain      string           `json:"chain_error,omitempty"`
}

// States of a factory, words of the driver protocol.
const (
	StateBuilding = "building" // waits for its confirmations
	StateActive   = "active"   // usable
	StateDying    = "dying"    // usable; clients should move on
	StateClosed   = "closed"   // left, too late, or gone
	StateDamaged  = "damaged"  // its records cannot be read: nothing is signed in it
)

// FactoryStatus is one factory.
type FactoryStatus struct {
	FactoryID string `json:"factory_id"` // 64 hex digits
	State     string `json:"state"`
	// Detail is one line for a person: "waiting for confirmations: ...",
	// "usable until height ...".
	Detail        string `json:"detail"`
	Confirmations uint32 `json:"confirmations"`
	// ExitHeight is the first block at which nothing may change any more
	// (DELAY-007), ExpiryHeight is T.
	ExitHeight   uint32 `json:"exit_height"`
	ExpiryHeight uint32 `json:"expiry_height"`
	// Clients are the node ids in client order, on the LSP's side.
	Clients []string `json:"clients,omitempty"`
	// LSP is the other side, ClientIndex the own place, on a client's side.
	LSP         string  `json:"lsp,omitempty"`
	ClientIndex *uint16 `json:"client_index,omitempty"`
	// CapacitySat is that of all own channels, in sat.
	CapacitySat uint64 `json:"capacity_sat"`
	// StockSat is what the LSP has left to sell, in sat.
	StockSat *uint64 `json:"stock_sat,omitempty"`
	// CoverSat is the least that a client is paid without doing anything, in
	// sat (SPEC.md 6.1).
	CoverSat *uint64 `json:"cover_sat,omitempty"`
	// Interrupted says which change has to be completed before another one.
	Interrupted string `json:"interrupted,omitempty"`
	// Exit is what the way out does, absent before its first look.
	Exit *ExitStatus `json:"exit,omitempty"`
}

// CeremonyStatus is the last that was heard of a ceremony, newest last.
type CeremonyStatus struct {
	CeremonyID string `json:"ceremony_id"`
	Event      string `json:"event"`
	Text       string `json:"text,omitempty"`
}

// WalletStatus is the node's own coins, in sat.
type WalletStatus struct {
	ConfirmedSat uint64 `json:"confirmed_sat"`
	ReservedSat  uint64 `json:"reserved_sat"`
	AvailableSat uint64 `json:"available_sat"`
}

// begun is the reply to factory, and to buy inside a factory.
type begun struct {
	done
	CeremonyID string `json:"ceremony_id"`
}

// found obeys factory.
func found(q request, n Node) (wire.CeremonyID, error) {
	f, ok := n.(Factories)
	if !ok {
		return wire.CeremonyID{}, refuse(Unsupported, "the node takes part in no factory: start it with --chain")
	}
	order, err := readOrder(q)
	if err != nil {
		return wire.CeremonyID{}, err
	}
	return asUnsupported(f.Found(order))
}

func readOrder(q request) (o Order, err error) {
	var clients []string
	if json.Unmarshal(q.fields["clients"], &clients) != nil || len(clients) == 0 {
		return o, refuse(BadRequest, "clients is missing or not a list of node ids")
	}
	if len(clients) > factory.MaxClients {
		return o, refuse(BadRequest, "clients: %d node ids, a factory has at most %d", len(clients), factory.MaxClients)
	}
	seen := map[transport.NodeID]bool{}
	for i, text := range clients {
		id, err := transport.ParseNodeID(text)
		if err != nil {
			return o, refuse(BadRequest, "clients: number %d: %v", i, err)
		}
		if seen[id] {
			return o, refuse(BadRequest, "clients: number %d: %s is there twice", i, id)
		}
		seen[id] = true
		o.Clients = append(o.Clients, id)
	}
	if o.CapacitySat, err = q.sat("capacity_sat", 1); err != nil {
		return o, err
	}
	if o.StockSat, err = q.sat("stock_sat", 0); err != nil {
		return o, err
	}
	if _, given := q.fields["shape"]; !given {
		return o, nil
	}
	text, err := q.text("shape")
	if err != nil {
		return o, err
	}
	if o.Shape, err = factory.ParseShape(text); err != nil {
		return o, refuse(BadRequest, "shape: %v", err)
	}
	return o, nil
}

// sat returns a field that has to be an amount.
func (q request) sat(field string, least uint64) (amount uint64, err error) {
	if json.Unmarshal(q.fields[field], &amount) != nil || q.fields[field] == nil || string(q.fields[field]) == "null" || amount < least || amount > maxSat {
		return 0, refuse(BadRequest, "%s is not a whole number of sat from %d to %d", field, least, uint64(maxSat))
	}
	return amount, nil
}

// sell obeys buy at a node with a factory side.
func sell(q request, f Factories, s Sale) (wire.CeremonyID, error) {
	if _, given := q.fields["factory"]; given {
		text, err := q.text("factory")
		if err != nil {
			return wire.CeremonyID{}, err
		}
		id, err := parseCeremonyID(text)
		if err != nil {
			return wire.CeremonyID{}, err
		}
		s.Factory = &id
	}
	if _, given := q.fields["from"]; given {
		text, err := q.text("from")
		if err != nil {
			return wire.CeremonyID{}, err
		}
		from, err := transport.ParseNodeID(text)
		if err != nil {
			return wire.CeremonyID{}, refuse(BadRequest, "from: %v", err)
		}
		s.From = &from
	}
	return asUnsupported(f.Sell(s))
}

// asUnsupported gives node.ErrUnsupported its code.
func asUnsupported(id wire.CeremonyID, err error) (wire.CeremonyID, error) {
	if errors.Is(err, node.ErrUnsupported) {
		err = refuse(Unsupported, "%v", err)
	}
	return id, err
}

func parseCeremonyID(text string) (id wire.CeremonyID, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return id, refuse(BadRequest, "factory is not an id of 64 hex digits")
	}
	copy(id[:], raw)
	return id, nil
}
