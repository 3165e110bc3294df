package gate_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// Requests enter, pass, time out and leave on many goroutines, while holds are
// released and failed and the clock is set. Each ends once, the counts add up, and
// nothing is left.
func TestGatesUnderContention(t *testing.T) {
	const requests, rounds = 64, 200
	c := &crowd{clock: clock.New(), holds: gate.NewHolds(), inside: gate.NewSemaphore(poolWorkers)}
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			for range rounds {
				c.enter(t)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	c.operate(t, done)

	c.tally.check(t, requests*rounds)
	held, standing, pools, timers := c.holds.States(), c.barriers.Standing(), c.pools.States(), c.clock.State().Waiting
	if len(held)+len(standing)+len(pools)+timers != 0 {
		t.Errorf("left: holds %v, barriers %v, pools %v, and %d timers", held, standing, pools, timers)
	}
	c.clock.Freeze()
	if err := c.clock.Advance(t.Context(), time.Hour); err != nil { // nothing is active
		t.Errorf("Advance after all had ended = %v", err)
	}
}

// crowd has one hold, one barrier and one pool for many requests.
type crowd struct {
	clock    *clock.Clock
	holds    *gate.Holds
	barriers gate.Barriers
	pools    gate.Pools
	inside   *gate.Semaphore // a model of the pool
	tally    tally
}

const poolWorkers = 3

// enter is one request. Its client leaves soon.
func (c *crowd) enter(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), rand.N(4*time.Millisecond), errGone)
	defer cancel()
	w := newWaiter(c.clock)
	defer w.Leave()
	timeout := rand.N(8 * time.Millisecond)
	switch rand.IntN(3) {
	case 0:
		c.tally.end(t, "hold", 1, enterHold(ctx, w, c.holds, gate.HoldSpec{Name: "x", Timeout: timeout}))
	case 1:
		parties := []int{4, 4, 4, 4, 4, 4, 4, 2}[rand.IntN(8)]
		c.tally.end(t, "barrier", parties, enterBarrier(ctx, w, &c.barriers,
			gate.BarrierSpec{Name: "x", Parties: parties, Timeout: timeout}))
	default:
		leave, err := enterPool(ctx, w, &c.pools, gate.PoolSpec{Name: "x", Workers: poolWorkers, Queue: 10},
			time.Millisecond)
		if err == nil {
			defer leave()
			if !c.inside.Enter() {
				t.Errorf("more than %d are served at once", poolWorkers)
			} else {
				defer c.inside.Leave()
			}
			_ = w.until(ctx, w.Now().Add(timeout/100))
		}
		c.tally.end(t, "pool", 1, err)
	}
}

// operate releases and fails the hold, and sets the clock, until done.
func (c *crowd) operate(t *testing.T, done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		case <-time.After(50 * time.Microsecond):
		}
		n, _ := c.holds.Release(gate.NameOf("", "x"), gate.Choice{Count: i % 4}) // or an error
		c.tally.released += n
		if i%5 == 0 {
			n, _ := c.holds.Fail(gate.NameOf("", "x")) // or an error
			c.tally.failed += n
		}
		switch i % 8 {
		case 0:
			c.clock.Freeze()
		case 1:
			if err := c.clock.Advance(t.Context(), time.Millisecond); err != nil {
				t.Errorf("Advance = %v", err)
			}
		case 2:
			_ = c.clock.Scale(0.5 + rand.Float64())
			c.clock.Unfreeze()
		}
	}
}

// party is a gate and, for barriers, the number of parties.
type party struct {
	gate    string
	parties int
}

// tally counts the results of requests and of the operator's calls.
type tally struct {
	released, failed int

	mu      sync.Mutex
	passed  map[party]int
	others  map[string]int                    // by kind of error
	reasons []*gate.BarrierTimeoutError       // of the requests that timed out
	broken  map[*gate.BarrierTimeoutError]int // number of requests freed by each
}

func (n *tally) end(t *testing.T, name string, parties int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.passed == nil {
		n.passed, n.others, n.broken = map[party]int{}, map[string]int{}, map[*gate.BarrierTimeoutError]int{}
	}
	switch e := err.(type) {
	case nil:
		n.passed[party{name, parties}]++
	case *gate.HoldFailedError:
		n.others["failed"]++
	case *gate.HoldTimeoutError:
		n.others["timed out"]++
	case *gate.BarrierMismatchError, *gate.PoolFullError:
		n.others["refused"]++
	case *gate.BarrierTimeoutError:
		n.reasons = append(n.reasons, e)
	case *gate.BrokenError:
		n.broken[e.Reason]++
	default:
		if !errors.Is(err, errGone) {
			t.Errorf("%s: ended with %v", name, err)
		}
		n.others["left"]++
	}
}

// check checks the sums.
func (n *tally) check(t *testing.T, entered int) {
	t.Logf("passed %v, others %v, %d barriers broken", n.passed, n.others, len(n.reasons))
	ended := len(n.reasons)
	for _, count := range n.others {
		ended += count
	}
	for _, count := range n.broken {
		ended += count
	}
	for p, count := range n.passed {
		ended += count
		if count%p.parties != 0 {
			t.Errorf("%d passed the %s, %d at a time", count, p.gate, p.parties)
		}
	}
	if ended != entered {
		t.Errorf("%d entered and %d ended", entered, ended)
	}
	if got := n.passed[party{"hold", 1}]; got != n.released || n.others["failed"] != n.failed {
		t.Errorf("%d passed the hold and %d failed, want %d and %d", got, n.others["failed"], n.released, n.failed)
	}
	for _, reason := range n.reasons {
		if n.broken[reason] != reason.Arrived-1 {
			t.Errorf("%v, and %d others were freed by it", reason, n.broken[reason])
		}
		delete(n.broken, reason) // so that another with the same reason fails
	}
	for reason, count := range n.broken {
		t.Errorf("%d were freed by a timeout that no request had: %v", count, reason)
	}
}
