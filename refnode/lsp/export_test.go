package lsp

import "superscalar/refnode/ceremony"

// ConnectedAlone is Connected without what goes on by itself then.
func (l *LSP) ConnectedAlone(peer ceremony.Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.online[peer] = true
}
