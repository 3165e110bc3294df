package journal_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"flash.test/delay-server/internal/journal"
)

// model is a journal that keeps everything and computes results on demand.
type model struct {
	size    int
	runs    []*modelRun // by when they began
	kept    []*modelWait
	clients []*modelClient // by when they began
	dropped int64

	droppedRuns int // since all were forgotten
}

type modelRun struct {
	id    string
	all   []*modelWait
	peak  int
	ended bool // forgotten or empty
}

type modelWait struct {
	journal.Wait
	run         *modelRun
	kept, begun bool
	sent, ended bool
	end         time.Time
	queued      time.Duration
	waited      time.Duration
	response    journal.Response
	connection  uint64
	addr        netip.Addr
	client      *modelClient
}

type modelClient struct {
	addr netip.Addr
	kept int
}

// clientOf returns the client with the address. It counts its records.
func (m *model) clientOf(addr netip.Addr) *modelClient {
	m.clients = slices.DeleteFunc(m.clients, func(c *modelClient) bool {
		c.kept = count(m.kept, func(w *modelWait) bool { return w.client == c })
		return c.kept == 0
	})
	for _, c := range m.clients {
		if c.addr == addr {
			return c
		}
	}
	c := &modelClient{addr: addr}
	m.clients = append(m.clients, c)
	return c
}

// drop drops the oldest record if it is old or its client has the most. Else it drops the
// oldest record of the client with the most.
func (m *model) drop(now time.Time) {
	m.clientOf(m.kept[0].client.addr)
	greatest := slices.MaxFunc(m.clients, func(a, b *modelClient) int { return cmp.Compare(a.kept, b.kept) })
	i, oldest := 0, m.kept[0]
	if oldest.client != greatest && now.Sub(oldest.Start) < 10*time.Minute {
		i = slices.IndexFunc(m.kept, func(w *modelWait) bool { return w.client == greatest })
	}
	m.kept[i].kept = false
	m.kept = slices.Delete(m.kept, i, i+1)
	m.dropped++
}

func (m *model) begin(w *modelWait, refused bool, now time.Time) {
	i := slices.IndexFunc(m.runs, func(r *modelRun) bool { return r.id == w.Run && !r.ended })
	if i < 0 {
		i = len(m.runs)
		m.runs = append(m.runs, &modelRun{id: w.Run})
	}
	w.run, w.kept, w.begun, w.sent, w.ended, w.end = m.runs[i], true, !refused, refused, refused, w.Start
	if refused {
		w.Outcome = journal.Refused
	}
	w.run.all = append(w.run.all, w)
	w.run.peak = max(w.run.peak, count(w.run.all, func(w *modelWait) bool { return !w.sent }))
	w.client = m.clientOf(w.addr)
	m.kept = append(m.kept, w)
	for len(m.kept) > m.size {
		m.drop(now)
	}
	m.removeIfEmpty()
}

func (m *model) send(w *modelWait, now time.Time) {
	if !w.sent {
		w.sent, w.end, w.queued, w.waited, w.response = true, now, w.Queued, w.Waited, w.Response
	}
}

func (m *model) end(w *modelWait, now time.Time, outcome journal.Outcome) {
	m.send(w, now)
	w.ended, w.Outcome, w.response = true, outcome, w.Response
	m.removeIfEmpty()
}

func (m *model) removeIfEmpty() {
	for _, r := range m.runs {
		if !r.ended && !slices.ContainsFunc(r.all, func(w *modelWait) bool { return w.kept || !w.ended }) {
			r.ended = true
			m.droppedRuns++
		}
	}
}

func (m *model) forget(r *modelRun) {
	r.ended = true
	m.kept = slices.DeleteFunc(m.kept, func(w *modelWait) bool { return w.run == r })
}

func (r *modelRun) at(now time.Time) journal.Run {
	first, last := r.all[0].Start, r.all[0].Start
	var sum time.Duration
	for _, w := range r.all {
		end := w.end
		if !w.sent {
			end = now
		}
		if w.Start.Before(first) {
			first = w.Start
		}
		if end.After(last) {
			last = end
		}
		if w.sent {
			sum += end.Sub(w.Start) - w.queued
		}
	}
	run := journal.Run{Summary: journal.Summary{
		ID: r.id, Requests: len(r.all), PeakInFlight: r.peak, Wall: last.Sub(first), Sum: sum,
		Waiting: count(r.all, func(w *modelWait) bool { return !w.ended }),
		Dropped: int64(count(r.all, func(w *modelWait) bool { return !w.kept })),
	}, Waits: []journal.Entry{}}
	inOrder := slices.Clone(r.all)
	slices.SortStableFunc(inOrder, func(a, b *modelWait) int { return a.Start.Compare(b.Start) })
	var before *modelWait
	var connections []uint64
	for _, w := range inOrder {
		if !w.kept {
			continue
		}
		gap := time.Duration(-1)
		if before != nil && before.sent && !before.end.After(w.Start) {
			gap = w.Start.Sub(before.end)
		}
		before = w
		if w.connection != 0 && !slices.Contains(connections, w.connection) {
			connections = append(connections, w.connection)
		}
		end := w.end
		if !w.sent {
			end = now
		}
		run.Waits = append(run.Waits, journal.Entry{
			Method: w.Method, Path: w.Path, Asked: w.Asked, Queued: w.queued, Waited: w.waited,
			Start: w.Start.Sub(first), End: end.Sub(first), Outcome: w.Outcome, Gap: gap, Begun: w.begun,
			Status: w.response.Status, Client: w.addr.String(), Connection: 1 + slices.Index(connections, w.connection),
		})
	}
	return run
}

func count(all []*modelWait, is func(*modelWait) bool) (n int) {
	for _, w := range all {
		if is(w) {
			n++
		}
	}
	return n
}

func TestAgainstAModel(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 0))
		size := int(seed % 12)
		j, h := newJournal(size)
		m := &model{size: size}
		var open []*modelWait
		for step := range 150 {
			h.advance(time.Duration(random.IntN(3)) * ms)
			if random.IntN(50) == 0 {
				h.advance(6 * time.Minute) // records become old
			}
			did := act(random, j, h, m, &open, step)
			for _, r := range m.runs {
				if r.ended {
					continue
				}
				if got, known := j.Run(r.id); !known || !reflect.DeepEqual(got, r.at(h.now)) {
					t.Fatalf("seed %d, step %d, %s: Run(%s), %v:\n got %+v\nwant %+v", seed, step, did, r.id, known,
						got, r.at(h.now))
				}
			}
			var live []journal.Summary
			for _, r := range slices.Backward(m.runs) {
				if !r.ended {
					live = append(live, r.at(h.now).Summary)
				}
			}
			if got := j.Runs(); !slices.Equal(got, live) || j.Dropped() != m.dropped ||
				j.DroppedRuns() != m.droppedRuns || j.Waiting() != len(open) {
				t.Fatalf("seed %d, step %d, %s: dropped %d and %d runs, waiting %d, Runs\n     %+v\n"+
					"want %d, %d, %d,\n     %+v",
					seed, step, did, j.Dropped(), j.DroppedRuns(), j.Waiting(), got, m.dropped, m.droppedRuns,
					len(open), live)
			}
		}
	}
}

// act does one random step with the journal and the model, and describes it.
func act(random *rand.Rand, j *journal.Journal, h *hands, m *model, open *[]*modelWait, step int) string {
	choice := random.IntN(20)
	if choice < 6 || len(*open) == 0 && choice < 18 {
		w := &modelWait{Wait: journal.Wait{
			Run: string(rune('a' + random.IntN(3))), Method: "GET", Path: fmt.Sprint("/", step),
			Asked: time.Duration(step),
			Start: h.now.Add(-time.Duration(random.IntN(4)) * ms), // a little before Begin
		}, connection: random.Uint64N(4), addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(3))})}
		r := &journal.Request{Connection: w.connection, Client: w.addr}
		if choice == 0 {
			j.Refuse(w.Wait, r, journal.Refused)
			m.begin(w, true, h.now)
			return "refuse"
		}
		j.Begin(&w.Wait, r)
		m.begin(w, false, h.now)
		*open = append(*open, w)
		return "begin"
	}
	switch {
	case choice < 10:
		w := (*open)[random.IntN(len(*open))]
		if !w.sent {
			w.Waited, w.Queued = time.Duration(random.IntN(1000)), time.Duration(random.IntN(1000))
			w.Status = random.IntN(600)
		}
		j.BeforeLastByte(&w.Wait)
		m.send(w, h.now)
		return "send"
	case choice < 18:
		i := random.IntN(len(*open))
		w := (*open)[i]
		*open = slices.Delete(*open, i, i+1)
		outcome := journal.Outcomes[random.IntN(len(journal.Outcomes))]
		j.End(w.Wait, outcome)
		m.end(w, h.now, outcome)
		return "end"
	case choice == 18 && step%5 == 0:
		j.ForgetAll()
		m.dropped = 0
		for _, r := range m.runs {
			m.forget(r)
		}
		m.droppedRuns = 0
		return "forget all"
	case len(m.runs) > 0 && step%2 == 0:
		r := m.runs[random.IntN(len(m.runs))]
		if known := j.Forget(r.id); !known {
			return "forget none"
		}
		for _, r2 := range m.runs {
			if r2.id == r.id && !r2.ended {
				m.forget(r2)
			}
		}
		return "forget " + r.id
	}
	return "nothing"
}
