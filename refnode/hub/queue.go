package hub

import (
	"errors"
	"fmt"
	"runtime"

	"superscalar/refnode/payment"
)

// maxBatch is how many inputs may share a transaction of the store.
const maxBatch = 256

// job is an input and who waits until its step is stored.
type job struct {
	run  func(*step)
	done chan<- error // nil: nobody waits
}

// do runs an input in a step and returns when the step is on the disk.
func (h *Hub) do(run func(*step)) error {
	done := make(chan error, 1)
	select {
	case h.jobs <- job{run, done}:
	case <-h.ctx.Done():
		return ErrClosed
	}
	select {
	case err := <-done:
		return err
	case <-h.ctx.Done():
		select {
		case err := <-done: // it was over already
			return err
		default:
			return ErrClosed
		}
	}
}

// post runs an input some time, when nobody waits for it.
func (h *Hub) post(run func(*step)) {
	select {
	case h.jobs <- job{run: run}:
	case <-h.ctx.Done():
	}
}

func (h *Hub) loop() {
	for {
		select {
		case first := <-h.jobs:
			h.batch(first)
		case <-h.ctx.Done():
			return
		}
	}
}

// batch runs an input and those that wait behind it as one step.
func (h *Hub) batch(first job) {
	jobs := h.waiting([]job{first})
	runtime.Gosched() // what came with it may be in the hands of a reader still
	jobs = h.waiting(jobs)
	err := h.catchUp()
	if err == nil {
		st := h.newStep()
		st.tick()
		for _, j := range jobs {
			j.run(st)
		}
		st.settle()
		err = h.finish(st)
	}
	for _, j := range jobs {
		if j.done != nil {
			j.done <- err
		}
	}
}

// tick tells the router the time, when a second has passed: it has no clock, and what it
// asked to be woken for may be hours away.
func (st *step) tick() {
	h := st.hub
	if now := h.now(); now != h.ticked {
		h.ticked = now
		st.route(payment.Tick{Now: now})
	}
}

// waiting adds the jobs that wait, up to maxBatch.
func (h *Hub) waiting(jobs []job) []job {
	for len(jobs) < maxBatch {
		select {
		case j := <-h.jobs:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// finish stores a step and lets its messages leave, or, when the store refuses,
// goes back to what is stored: now, or with the next input that finds a store that
// works again.
func (h *Hub) finish(st *step) error {
	err := st.commit()
	if err == nil {
		st.deliver()
		return nil
	}
	h.cfg.Log.Error("a step of the channels was not stored", "error", err)
	h.hangUp()
	h.ahead = true
	return errors.Join(err, h.catchUp())
}

// catchUp reads everything again when what is in memory is ahead of the disk. As long
// as that fails no input is taken: a disk may be full for hours, and what is owed to
// the chain is not to be forgotten with it.
func (h *Hub) catchUp() error {
	if !h.ahead {
		return nil
	}
	again, err := h.load()
	if err == nil {
		err = again.commit()
	}
	if err != nil {
		return fmt.Errorf("the channels wait for the store: %w", err)
	}
	h.ahead = false
	again.deliver()
	return nil
}
