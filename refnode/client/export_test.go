package client

// Machines counts the LSPs that a client keeps a machine for.
func (c *Client) Machines() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.machines)
}
