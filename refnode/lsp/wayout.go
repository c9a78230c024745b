package lsp

import (
	"encoding/binary"
	"fmt"
	"slices"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/role"
	"superscalar/wire"
)

// Exits returns the factories that were paid for as their way out needs them:
// snapshots, which no ceremony changes (role.WayOut).
func (l *LSP) Exits() ([]role.Exit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []role.Exit
	for _, f := range l.machine.Factories() {
		out = append(out, role.Exit{ID: f.ID(), Party: exit.LSP(), Holder: f.Snapshot(), Paths: slices.Clone(l.paths[f.ID()])})
	}
	return out, nil
}

// pathsPart is the record of the clients whose paths are published: two bytes for
// each.
const pathsPart = "paths"

// LeaveFor publishes the path of a client from the next look of role.WayOut on,
// after a restart too: a channel of it has to reach the chain (CHAN-010,
// CHAN-021). The error is ceremony.ErrUnknownFactory, or the store's.
func (l *LSP) LeaveFor(id wire.CeremonyID, client factory.ClientIndex) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.machine.Factory(id) == nil {
		return fmt.Errorf("%s: %w", id, ceremony.ErrUnknownFactory)
	}
	if slices.Contains(l.paths[id], client) {
		return nil
	}
	paths := append(slices.Clone(l.paths[id]), client)
	var raw []byte
	for _, c := range paths {
		raw = binary.BigEndian.AppendUint16(raw, uint16(c))
	}
	if err := l.cfg.Store.PutFactory([32]byte(id), pathsPart, raw); err != nil {
		return err
	}
	l.paths[id] = paths
	return nil
}

// readPaths is the inverse of what LeaveFor writes.
func readPaths(raw []byte) (paths []factory.ClientIndex) {
	for ; len(raw) >= 2; raw = raw[2:] {
		paths = append(paths, factory.ClientIndex(binary.BigEndian.Uint16(raw)))
	}
	return paths
}
