package factory

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"superscalar/refnode/musig"
	"superscalar/wire/rule"
)

// This file is about node_keys, the aggregates that a proposal brings along
// (section 5.1): the LSP, which has computed them all, writes them down, and a
// client checks them at half the price of computing them.

// KeySets returns whose keys client c aggregates, each time with the LSP's, in
// the order of SIGN-021; none for a client that does not exist.
func (l *Layout) KeySets(c ClientIndex) []Range {
	if int(c) >= l.clients {
		return nil
	}

	return distinct(keySets(l, PathOf(c)))
}

// NodeKeys returns the aggregate of each of the KeySets of client c, compressed
// and without a tweak (SIGN-021). It is cheap once a Tree has been built.
func (f *Factory) NodeKeys(c ClientIndex) ([][musig.PublicKeySize]byte, error) {
	sets := f.layout.KeySets(c)
	if sets == nil {
		return nil, mistake("client", "no client %d", c)
	}
	keys, err := f.keys.plainKeys(sets)
	if err == nil && !f.rules.On(rule.SIGN021) {
		slices.Reverse(keys)
		if len(keys) == 1 {
			keys = append(keys, keys[0])
		}
	}

	return keys, err
}

// plainKeys returns aggregates before any tweak.
func (k *keyring) plainKeys(sets []Range) ([][musig.PublicKeySize]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := make([][musig.PublicKeySize]byte, len(sets))
	for i, r := range sets {
		key, err := k.aggregate(r)
		if err != nil {
			return nil, wrong(rule.SCRIPT001, "factory_keys", err)
		}
		keys[i] = key.PlainKey()
	}

	return keys, nil
}

// TakeNodeKeys checks the aggregates of the KeySets of client c that an LSP sent
// (SIGN-020) and keeps them for Build, which then need not compute them. rand, of
// which 32 bytes are drawn, makes the check unpredictable. The error is an *Error
// with CER-047 when one of them is wrong, or they are too few or too many; then
// nothing is kept.
func (f *Factory) TakeNodeKeys(c ClientIndex, keys [][musig.PublicKeySize]byte, rand io.Reader) error {
	ranges := f.layout.KeySets(c)
	if ranges == nil {
		return mistake("client", "no client %d", c)
	}
	if len(keys) != len(ranges) {
		return malformed(rule.CER047, "node_keys", "%d of them for the %d key sets of client %d", len(keys), len(ranges), c)
	}
	if f.keys.aggregatesItsOwnWay() {
		return nil
	}
	sets := make([][]*musig.PublicKey, len(ranges))
	for i, r := range ranges {
		sets[i] = f.keys.signers(r)
	}
	checked, err := f.check(sets, keys, rand)
	switch {
	case errors.Is(err, musig.ErrClaim):
		return wrong(rule.CER047, "node_keys", fmt.Errorf("client %d: %w", c, err))
	case errors.Is(err, musig.ErrRandom):
		return fmt.Errorf("no check of node_keys: %w", err)
	case err != nil:
		return wrong(rule.SCRIPT001, "factory_keys", err)
	}
	f.keys.mu.Lock()
	defer f.keys.mu.Unlock()
	for i, key := range checked {
		f.keys.plain[ranges[i]] = key
	}

	return nil
}

// check is musig.CheckAggregates, and in a mutant what comes without it.
func (f *Factory) check(sets [][]*musig.PublicKey, keys [][musig.PublicKeySize]byte, rand io.Reader) ([]*musig.KeyAgg, error) {
	if !f.rules.On(rule.SIGN020) {
		return musig.UncheckedAggregates(sets, keys)
	}

	return musig.CheckAggregates(sets, keys, rand)
}
