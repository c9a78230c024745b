package control

import "time"

// MaxAskers is how many are answered at a time.
const MaxAskers = maxAskers

// SetReadTime sets how long an asker may take to read a reply.
func (s *Socket) SetReadTime(d time.Duration) { s.readTime = d }
