package gen

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/refnode/peer"
	"superscalar/refnode/role"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func openings() (vectors.File, error) {
	f := file("CHAN", "opening", "SPEC.md 3.7 and 8.1; BOLT 2, \"Channel Establishment v1\"",
		"A channel on an output that a ceremony makes, as asked says: live, the attempt is going on. op: take-open: the client reads open_channel; take-accept: the LSP reads accept_channel, the answer to its open_channel; say-open, say-accept: what the LSP, or the client, is about to say is right, or breaks a rule of its sender. The features of SPEC.md 3.7 are negotiated and option_zero_reserve is not, the chain is the one of open_channel. field is the field or record at fault.")
	for _, c := range openingCases {
		v, err := c.vector()
		if err != nil {
			return f, err
		}
		f.Vectors = append(f.Vectors, v)
	}
	return f, nil
}

// The keys of the channel on the output of the vectors.
var (
	openingLSP    = secretKey("opening lsp", 0)
	openingClient = secretKey("opening client", 0)
)

// openingPair is what a vector changes.
type openingPair struct {
	asked  vectors.AskedOutput
	open   *wire.OpenChannel
	accept *wire.AcceptChannel
}

// newOpeningPair is right everywhere, on an output of a value.
func newOpeningPair(value vectors.Uint) openingPair {
	s := newSource("opening")
	p := openingPair{asked: vectors.AskedOutput{
		Instance: s.bytes(32), Value: value, Live: true,
		LSPKey: openingLSP.PubKey().SerializeCompressed(), Key: openingClient.PubKey().SerializeCompressed(),
	}}
	params, shape := openingTerms()
	p.asked.EarlyWarning, p.asked.ToSelfDelay = uint16(params.EarlyWarningTime(shape)), openingDelay
	keys := func(funding vectors.Hex) wire.ChannelKeys {
		point := func() wire.Point { return wire.Point(s.point()) }
		return wire.ChannelKeys{Funding: wire.Point(funding), Revocation: point(), Payment: point(), DelayedPayment: point(), HTLC: point(), FirstPerCommitment: point()}
	}
	in := wire.ChannelInFactory{ProtocolID: wire.Codec{}.SuperScalarID(), InstanceID: [32]byte(p.asked.Instance), EarlyWarningTime: p.asked.EarlyWarning}
	p.open = channel.NewOpen([32]byte(s.bytes(32)), wire.ChannelID(s.bytes(32)), uint64(value), in, keys(p.asked.LSPKey))
	p.open.ToSelfDelay = role.MaxClientDelay
	p.accept = channel.NewAccept(p.open, keys(p.asked.Key))
	p.accept.ToSelfDelay = p.asked.ToSelfDelay
	return p
}

// openingDelay is the to_self_delay of the factory, in blocks: no default of anything.
const openingDelay = 600

// openingTerms are those of the factory of the vectors.
func openingTerms() (factory.Params, factory.Shape) {
	return factory.DefaultParams(factory.PS), factory.DefaultShape(1)
}

func (c openingCase) vector() (*vectors.Opening, error) {
	value := c.value
	if value == 0 {
		value = 100_000
	}
	p := newOpeningPair(value)
	if c.change != nil {
		c.change(&p)
	}
	v := &vectors.Opening{Head: head(slug("opening", c.op, c.name), c.rules...), Op: c.op, Asked: p.asked}
	var err error
	if v.Open, err = (wire.Codec{}).Encode(p.open); err != nil {
		return nil, fmt.Errorf("%s: %w", v.Name, err)
	}
	if c.op != "take-open" && c.op != "say-open" {
		if v.Accept, err = (wire.Codec{}).Encode(p.accept); err != nil {
			return nil, fmt.Errorf("%s: %w", v.Name, err)
		}
	}
	guilty := map[string]string{"take-open": "lsp", "say-open": "lsp", "take-accept": "client", "say-accept": "client"}[c.op]
	said := c.op == "say-open" || c.op == "say-accept"
	switch {
	case c.field != "" && said:
		v.Outcome = blame(guilty, "must-not-say", c.field, -1, c.rules[0])
	case c.field != "":
		v.Outcome = blame(guilty, "refused", c.field, -1, c.rules[0])
	case said:
		v.Decision = "right"
	default:
		v.Decision = "accept"
	}
	return v, nil
}

func (r runner) opening(v *vectors.Opening) error {
	open, accept, err := r.openingMessages(v)
	if err != nil {
		return err
	}
	side, from := openingClient, wire.Point{2, 1}
	o := ceremony.ChannelOutput{
		Peer: from, Attempt: wire.CeremonyID{1}, Factory: wire.CeremonyID(v.Asked.Instance), Outpoint: btcwire.OutPoint{Hash: chainhash.Hash{1}},
		Value: factory.Sat(v.Asked.Value), LSPKey: wire.Point(v.Asked.LSPKey), Theirs: wire.Point(v.Asked.LSPKey),
	}
	if o.Params, o.Shape = openingTerms(); uint16(o.Params.EarlyWarningTime(o.Shape)) != v.Asked.EarlyWarning {
		return errors.New("the factory has another early warning time")
	}
	o.Params.ToSelfDelay = v.Asked.ToSelfDelay
	if v.Op == "take-accept" || v.Op == "say-open" {
		side, o.Theirs = openingLSP, wire.Point(v.Asked.Key)
	}
	o.Key = side
	reg := role.NewChannels(wire.Codec{}.SuperScalarID(), r.rules)
	reg.Expect(o)
	if !v.Asked.Live {
		reg.Keep(o.Peer, o.Attempt)
	}
	switch v.Op {
	case "take-open":
		ctx := channel.OpenContext{Negotiated: peer.Features(), Common: []wire.ProtocolID{wire.Codec{}.SuperScalarID()}, ChainHash: open.ChainHash, Rules: r.rules}
		if err = channel.CheckOpen(ctx, open); err == nil {
			err = reg.CheckChannel(from, open)
		}
	case "take-accept":
		if err = channel.CheckAccept(open, accept, r.rules); err == nil {
			err = reg.CheckAccept(from, open, accept)
		}
	case "say-open":
		own := channel.NewOpen(open.ChainHash, open.TemporaryChannelID, uint64(o.Value), reg.InFactory(o), wire.ChannelKeys{Funding: o.LSPKey})
		return saidOtherwise(v, openSays(open, own))
	case "say-accept":
		own := channel.NewAccept(open, wire.ChannelKeys{})
		own.ToSelfDelay = reg.ToSelfDelay(from, open)
		if key, err := reg.FundingKey(from, open); err == nil && key != nil {
			own.Keys.Funding = wire.Point(key.PubKey().SerializeCompressed())
		}
		return saidOtherwise(v, acceptSays(accept, own, open))
	default:
		return fmt.Errorf("no op %q", v.Op)
	}
	return refusedOpening(v, err)
}

func (r runner) openingMessages(v *vectors.Opening) (open *wire.OpenChannel, accept *wire.AcceptChannel, err error) {
	for _, raw := range []vectors.Hex{v.Open, v.Accept} {
		if len(raw) == 0 {
			continue
		}
		m, err := r.codec.Decode(raw)
		if err != nil {
			return nil, nil, err
		}
		switch m := m.(type) {
		case *wire.OpenChannel:
			open = m
		case *wire.AcceptChannel:
			accept = m
		}
	}
	if open == nil || open.ChannelInFactory == nil || accept == nil && v.Op != "take-open" && v.Op != "say-open" || len(v.Asked.Instance) != 32 || len(v.Asked.LSPKey) != 33 || len(v.Asked.Key) != 33 {
		return nil, nil, errors.New("the vector says too little")
	}
	return open, accept, nil
}

// ruleNamed finds the rule in the text of a refusal of the registry.
var ruleNamed = regexp.MustCompile(`\(([A-Z]+-[0-9]{3})\)`)

func refusedOpening(v *vectors.Opening, err error) error {
	var refusal *channel.Refusal
	id := rule.ID(rule.PCF061) // the plugin's, of which no rule of its own says it
	switch {
	case err == nil && v.Error == nil:
		return nil
	case err == nil:
		return fmt.Errorf("accepted, want refused by %s", v.Error.Rule)
	case v.Error == nil:
		return fmt.Errorf("refused: %w", err)
	case errors.As(err, &refusal):
		id = refusal.Rule
	default:
		if m := ruleNamed.FindStringSubmatch(err.Error()); m != nil {
			id = rule.ID(m[1])
		}
	}
	if v.Error.Kind != "refused" || id != v.Error.Rule {
		return fmt.Errorf("refused by %s (%w), want %s by %s", id, err, v.Error.Kind, v.Error.Rule)
	}
	return nil
}

// broken is a rule that what somebody says breaks in a field.
type broken struct {
	bad   bool
	field string
	rule  rule.ID
}

// openSays are the rules that bind what an LSP says, beside what this node says.
func openSays(m, own *wire.OpenChannel) []broken {
	in := m.ChannelInFactory
	return []broken{
		{m.Keys.Funding != own.Keys.Funding, "funding_pubkey", rule.CHAN003},
		{m.FundingSat != own.FundingSat, "funding_satoshis", rule.CHAN004},
		{m.ToSelfDelay > role.MaxClientDelay, "to_self_delay", rule.CHAN005},
		{m.ChannelReserveSat != m.DustLimitSat, "channel_reserve_satoshis", rule.PCF097},
		{m.ChannelFlags&1 != own.ChannelFlags&1, "channel_flags", rule.PCF067},
		{!m.ChannelType.Bit(wire.FeatureZeroConf) || !m.ChannelType.Bit(wire.FeatureScidAlias), "channel_type", rule.PCF067},
		{in.ProtocolID != own.ChannelInFactory.ProtocolID, "channel_in_factory", rule.PCF066},
		{in.InstanceID != own.ChannelInFactory.InstanceID || in.EarlyWarningTime != own.ChannelInFactory.EarlyWarningTime, "channel_in_factory", rule.PCF061},
	}
}

// acceptSays are those that bind what a client answers.
func acceptSays(m, own *wire.AcceptChannel, open *wire.OpenChannel) []broken {
	return []broken{
		{m.TemporaryChannelID != own.TemporaryChannelID, "temporary_channel_id", rule.PCF073},
		{m.MinimumDepth != own.MinimumDepth, "minimum_depth", rule.PCF073},
		{!bytes.Equal(m.ChannelType, own.ChannelType), "channel_type", rule.PCF073},
		{max(m.DustLimitSat, open.DustLimitSat) > m.ChannelReserveSat, "channel_reserve_satoshis", rule.PCF073},
		{m.DustLimitSat > open.ChannelReserveSat, "dust_limit_satoshis", rule.PCF073},
		{m.ChannelReserveSat < own.ChannelReserveSat, "channel_reserve_satoshis", rule.PCF096},
		{m.ToSelfDelay != own.ToSelfDelay, "to_self_delay", rule.CHAN006},
		{m.Keys.Funding != own.Keys.Funding, "funding_pubkey", rule.CHAN003},
	}
}

// saidOtherwise compares the first rule that is broken with that of a vector.
func saidOtherwise(v *vectors.Opening, list []broken) error {
	for _, b := range list {
		switch {
		case !b.bad:
			continue
		case v.Error == nil:
			return fmt.Errorf("%s breaks %s", b.field, b.rule)
		case v.Error.Field != b.field || v.Error.Rule != b.rule:
			return fmt.Errorf("%s breaks %s, want %s and %s", b.field, b.rule, v.Error.Field, v.Error.Rule)
		}
		return nil
	}
	if v.Error != nil {
		return fmt.Errorf("it may be said, want that %s breaks %s", v.Error.Field, v.Error.Rule)
	}
	return nil
}

func openingSchema() object {
	key, u16 := bytesOf(33), upTo(1<<16-1)
	return schema("opening", "One message that opens a channel in a factory", object{
		"op": oneOf("take-open", "take-accept", "say-open", "say-accept"),
		"asked": about("What the ceremony says of the output.", closed(object{
			"factory_instance_id": bytesOf(32), "satoshis": ref("uint"), "lsp_channel_key": key, "channel_key": key,
			"early_warning_time": u16, "to_self_delay": u16, "live": object{"type": "boolean"},
		})),
		"open_channel": ref("hex"),
	}, object{
		"decision": oneOf("accept", "right"),
	}, object{"accept_channel": ref("hex")}, object{
		"if":   object{"properties": object{"op": object{"enum": []string{"take-accept", "say-accept"}}}},
		"then": object{"required": []string{"accept_channel"}}, "else": object{"properties": object{"accept_channel": false}},
	})
}
