package exit_test

import (
	"fmt"

	"superscalar/refnode/factory"
)

// before returns every state that the chain can be in while the victim watches
// and does not leave, before T, after any time.
func (m *model) before() []place {
	start := place(make([]byte, 2*len(m.txs)))
	seen := map[place]bool{start: true}
	queue := []place{start}
	for i := 0; i < len(queue); i++ {
		_, own := m.plan(queue[i], m.expiry-1, false)
		m.next(queue[i], m.expiry-1, own, func(p place) {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		})
	}
	m.states += float64(len(queue))

	return queue
}

// moment is a state some blocks after the victim has started to leave, or
// after T.
type moment struct {
	p      place
	passed int
}

// explore follows every schedule from a state on until done says that the
// victim is out, and counts them; late is called with what is not out after
// limit blocks.
func (m *model) explore(memo map[moment]float64, at moment, limit int, leave bool, done func(at moment) bool, late func(at moment)) float64 {
	if n, ok := memo[at]; ok {
		return n
	}
	memo[at] = 1
	switch {
	case done(at):
		return 1
	case at.passed == limit:
		late(at)

		return 1
	}
	tip := m.tipAt(at.passed, leave)
	_, own := m.plan(at.p, tip, leave)
	var sum float64
	m.next(at.p, tip, own, func(p place) {
		sum += m.explore(memo, moment{p, at.passed + 1}, limit, leave, done, late)
	})
	memo[at] = sum

	return sum
}

// tipAt is the height some blocks after the start: of the way out, for which
// only ages matter and T is far, or after T.
func (m *model) tipAt(passed int, leave bool) factory.Height {
	if leave {
		return m.expiry - 1
	}

	return m.expiry + factory.Height(passed)
}

// checkExit wants the victim, which has coins, to have its channels on the
// chain within the early warning time, whenever it starts.
func (m *model) checkExit() {
	out := func(at moment) bool {
		plan, _ := m.plan(at.p, m.expiry-1, true)
		var standing factory.Sat
		for _, c := range plan.Channels {
			if !c.Replaced {
				standing += c.Channel.Value
			}
		}

		return standing >= m.tree.Capacities(m.victim)
	}
	m.run(m.ewt, true, out, func(at moment) {
		m.fail(fmt.Sprintf("not out %d blocks after it started:\n%s", m.ewt, m.describe(at.p)))
	})
}

// checkCover wants the victim, which has no coin, to be paid at least floor
// once T has come.
func (m *model) checkCover(floor factory.Sat) {
	settled := func(at moment) bool {
		plan, _ := m.plan(at.p, m.tipAt(at.passed, false), false)
		if plan.Open > 0 || len(plan.Channels) > 0 {
			return false
		}
		if plan.Paid < floor {
			m.fail(fmt.Sprintf("it was paid %d sat, its floor is %d:\n%s", plan.Paid, floor, m.describe(at.p)))
		}

		return true
	}
	limit := m.confirm * (3*len(m.tree.Nodes()) + 10)
	m.run(limit, false, settled, func(at moment) {
		m.fail(fmt.Sprintf("not settled %d blocks after T:\n%s", limit, m.describe(at.p)))
	})
}

func (m *model) run(limit int, leave bool, done func(moment) bool, late func(moment)) {
	memo := map[moment]float64{}
	for _, p := range m.before() {
		m.schedules += m.explore(memo, moment{p, 0}, limit, leave, done, late)
	}
	m.states += float64(len(memo))
}
