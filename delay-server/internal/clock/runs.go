package clock

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// MaxRuns is the maximum number of runs with clocks of their own.
const MaxRuns = 1000

// ErrTooManyRuns is returned by Runs.Make if MaxRuns runs have clocks of their own.
var ErrTooManyRuns = fmt.Errorf("%d runs have clocks of their own", MaxRuns)

// Runs are the clocks of runs that have their own. Use NewRuns. A nil Runs has none.
type Runs struct {
	server *Clock

	mu     sync.RWMutex
	clocks map[string]*Clock // by run
	count  atomic.Int64      // of clocks: Of does not lock mu while there are none
}

// NewRuns returns no clocks. Each clock that Make makes begins as a copy of server.
func NewRuns(server *Clock) *Runs { return &Runs{server: server, clocks: map[string]*Clock{}} }

// Of returns the run's own clock, or nil if it has none.
func (r *Runs) Of(run string) *Clock {
	if r == nil || run == "" || r.count.Load() == 0 {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.clocks[run]
}

// Make returns the run's own clock. If it has none, Make makes one that shows the
// server's time, and goes or stands as the server's does. The error is ErrTooManyRuns.
func (r *Runs) Make(run string) (*Clock, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.clocks[run]; c != nil {
		return c, nil
	}
	if len(r.clocks) >= MaxRuns {
		return nil, ErrTooManyRuns
	}
	c := r.server.fork()
	r.clocks[strings.Clone(run)] = c
	r.count.Add(1)
	return c, nil
}

// Set calls set with c, the run's own clock, and reports whether it still is. A clock that
// is dropped meanwhile goes on as Drop says, whatever set does.
func (r *Runs) Set(run string, c *Clock, set func(*Clock)) bool {
	set(c)
	if r.Of(run) == c {
		return true // Drop has yet to let it go on
	}
	r.letGoOn(c)
	return false
}

// Drop drops the run's own clock, and reports whether it had one. Requests that wait on
// it continue, unfrozen, at the scale of the server's clock.
func (r *Runs) Drop(run string) bool {
	c := r.Of(run)
	if c == nil {
		return false
	}
	r.drop(map[string]*Clock{run: c})
	return true
}

// DropAll drops the clocks of all runs.
func (r *Runs) DropAll() {
	if r == nil {
		return
	}
	r.mu.RLock()
	all := maps.Clone(r.clocks)
	r.mu.RUnlock()
	r.drop(all)
}

// drop drops the clocks, unless another call was first.
func (r *Runs) drop(clocks map[string]*Clock) {
	r.mu.Lock()
	for run, c := range clocks {
		if r.clocks[run] == c {
			delete(r.clocks, run)
			r.count.Add(-1)
		}
	}
	r.mu.Unlock()
	for _, c := range clocks {
		r.letGoOn(c)
	}
}

// letGoOn unfreezes a dropped clock.
func (r *Runs) letGoOn(c *Clock) {
	_ = c.Reset(r.server.State().Scale) // a valid scale
	c.replaceTimer(false)
}

// fork returns a clock with the start and the setting of c. It uses a timerfd if c does.
func (c *Clock) fork() *Clock {
	f := New()
	c.mu.Lock()
	defer c.mu.Unlock()
	f.start, f.timerfd = c.start, c.timerfd
	if c.setting != nil {
		s := *c.setting
		f.setting = &s
	}
	return f
}
