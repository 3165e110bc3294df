package admin

import (
	"math"
	"net/http"
	"reflect"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/client"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/feed"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
)

const liveInterval = 200 * time.Millisecond

// maxViewers bounds the open pages. A state of a run is made for its viewers alone.
var maxViewers = feed.Limits{All: 200, Keyed: 50}

// The bounds of a state, besides the bounds of a journal.Live. Its JSON has up to 5 MB if
// each name has 200 bytes that JSON escapes; 100 KB are usual.
const (
	maxLivePools = 100
	maxLiveNames = 50  // of barriers, and of holds
	maxLiveHeld  = 100 // requests at a barrier or in a hold
	maxLiveGates = 400 // requests at all barriers, and in all holds
)

// showLive responds with the stream of what happens now. Its viewers make the journal list
// waits of no run.
func (a *API) showLive(c echo.Context) error {
	values, err := readQuery(c, "run")
	if err != nil {
		return err
	}
	run := values.Get("run")
	if values.Has("run") {
		if err := plan.CheckRun(run); err != nil {
			return err
		}
	}
	if c.Request().Method == http.MethodHead {
		c.Response().Header().Set("Content-Type", "text/event-stream")
		return c.NoContent(http.StatusOK)
	}
	defer a.options.Journal.Watch()()
	return a.live.Serve(c, run)
}

// liveState is a client.Live that is only sent if a viewer needs it.
type liveState struct{ client.Live }

// Same implements feed.Comparer. While no request waits, or the clock is frozen, a viewer
// needs to know the time only if it has something else to see.
func (s liveState) Same(before any) bool {
	b, ok := before.(liveState)
	if !ok || s.Waiting > 0 && !s.Clock.Frozen {
		return false
	}
	if !s.Clock.Frozen {
		b.Now = s.Now
	}
	return reflect.DeepEqual(s, b)
}

// liveState returns what happens now, in a run or, if run is "", in all.
func (a *API) liveState(run string) any {
	o := a.options
	live := o.Journal.Live(run)
	at := func(t time.Time) float64 { return inMilliseconds(o.Clock.Elapsed(t)) }
	s := liveState{client.Live{
		Now: at(live.Now), Clock: liveClock(o.Clock),
		Waiting: live.Waiting, Arrived: live.Waiting + live.Ended, Answered: live.Ended,
		Requests: make([]client.LiveRequest, 0, len(live.Flights)),
		Pools:    livePools(o.Pools, run),
		Barriers: liveBarriers(o.Barriers, run),
		Holds:    liveHolds(o.Holds, run),
		Runs:     make([]client.LiveRun, 0, len(live.Runs)),
		Problems: make([]client.LiveProblem, 0, len(live.Problems)),
	}}
	for _, f := range live.Flights {
		r := client.LiveRequest{
			ID: f.ID, Method: f.Method, Path: f.Path, Run: f.Run, Attempt: f.Attempt,
			State: f.Stage.String(), Begun: at(f.Start),
		}
		if !f.Due.IsZero() {
			r.Due = at(f.Due)
		}
		if f.OwnClock {
			r.Clock = "run"
		}
		s.Requests = append(s.Requests, r)
	}
	for _, r := range live.Runs {
		s.Runs = append(s.Runs, liveRun(r, o.Journal.Clocks.Of(r.ID)))
	}
	for _, p := range live.Problems {
		s.Problems = append(s.Problems, client.LiveProblem{
			At: at(p.At), Status: p.Status, Type: string(p.Type), Path: p.Path, Run: p.Run, Count: p.Count,
		})
	}
	return s
}

// inMilliseconds returns d in milliseconds with three decimals.
func inMilliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond).Microseconds()) / 1000
}

func liveClock(c *clock.Clock) client.LiveClock {
	scale, frozen := c.Setting()
	return client.LiveClock{Scale: scale, Frozen: frozen}
}

func liveRun(s journal.Summary, own *clock.Clock) client.LiveRun {
	r := client.LiveRun{
		ID: s.ID, Requests: s.Requests, Waiting: s.Waiting, Peak: s.PeakInFlight, Wall: inMilliseconds(s.Wall),
	}
	if speedup, ok := s.Speedup(); ok {
		r.Speedup = math.Round(speedup*1000) / 1000
	}
	if own != nil {
		c := liveClock(own)
		r.Clock = &c
	}
	return r
}

func livePools(from *gate.Pools, run string) []client.LivePool {
	pools := []client.LivePool{}
	for _, p := range from.List(gate.Choose{Run: run, Names: maxLivePools}) {
		pool := client.LivePool{
			Name: p.Name.Name, Run: p.Name.Run, Busy: p.Busy, Workers: p.Spec.Workers, Queued: p.Queued,
		}
		if p.Spec.Queue >= 0 {
			pool.Queue = &p.Spec.Queue
		}
		pools = append(pools, pool)
	}
	return pools
}

func liveBarriers(from *gate.Barriers, run string) []client.LiveBarrier {
	barriers := []client.LiveBarrier{}
	for _, b := range from.List(chooseNames(run)) {
		barriers = append(barriers, client.LiveBarrier{
			Name: b.Name.Name, Run: b.Name.Run, Parties: b.Parties, Waiting: liveAttempts(b.Held),
			More: b.Waiting - len(b.Held),
		})
	}
	return barriers
}

func liveHolds(from *gate.Holds, run string) []client.LiveHold {
	holds := []client.LiveHold{}
	for _, h := range from.List(chooseNames(run)) {
		holds = append(holds, client.LiveHold{
			Name: h.Name.Name, Run: h.Name.Run, Waiting: h.Waiting, Held: liveAttempts(h.Held),
		})
	}
	return holds
}

func chooseNames(run string) gate.Choose {
	return gate.Choose{Run: run, Names: maxLiveNames, Requests: maxLiveHeld, All: maxLiveGates}
}

func liveAttempts(requests []gate.HeldRequest) []client.LiveAttempt {
	attempts := make([]client.LiveAttempt, len(requests))
	for i, r := range requests {
		attempts[i] = client.LiveAttempt{Run: r.Run, Attempt: r.Attempt}
	}
	return attempts
}
