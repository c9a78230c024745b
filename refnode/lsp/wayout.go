package lsp

import (
	"superscalar/refnode/exit"
	"superscalar/refnode/role"
)

// Exits returns the factories that were paid for as their way out needs them:
// snapshots, which no ceremony changes (role.WayOut).
func (l *LSP) Exits() ([]role.Exit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []role.Exit
	for _, f := range l.machine.Factories() {
		out = append(out, role.Exit{ID: f.ID(), Party: exit.LSP(), Holder: f.Snapshot()})
	}
	return out, nil
}
