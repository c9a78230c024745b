package chain

import "context"

// MaxUpdate is the most blocks that an Update connects: what a caller holds in
// memory, and does again when a call fails.
const MaxUpdate = 64

// Follow takes a caller from a block it has processed to the tip, one Update
// after the other. What each has processed stays so when a later one fails: the
// next call begins at its Tip. Errors are those of Since and of each.
func Follow(ctx context.Context, c Interface, from BlockID, each func(Update) error) error {
	for {
		u, err := c.Since(ctx, from)
		if err != nil {
			return err
		}
		if err := each(u); err != nil || !u.More {
			return err
		}
		from = u.Tip
	}
}
