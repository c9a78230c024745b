package role

// TakeOrders returns the orders that wait, for tests that carry them out themselves
// instead of Run.
func (c *Channels) TakeOrders() []Order {
	c.mu.Lock()
	defer c.mu.Unlock()
	orders := c.orders
	c.orders, c.undone = nil, 0
	return orders
}

// Drivers counts the factories that a way out keeps a driver of.
func (w *WayOut) Drivers() int { return len(w.drivers) }
