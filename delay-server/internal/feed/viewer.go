package feed

import (
	"net/netip"
	"slices"
	"time"

	"flash.test/delay-server/kit/problem"
)

// Limits are the maximum numbers of open streams.
type Limits struct {
	All   int
	Keyed int // of keys other than ""
}

// viewer is an open stream.
type viewer struct {
	key     string
	from    netip.Addr // as gate.ClientAddr returns it
	channel *channel
	pause   time.Duration // before each write
	end     func()        // ends the stream
}

// join adds v, and gives it its channel and its turn: it pauses up to half an interval.
// The error is a *problem.Problem.
func (f *Feed) join(v *viewer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := func(*viewer) bool { return true }
	keyed := func(v *viewer) bool { return v.key != "" }
	for _, limit := range []struct {
		of func(*viewer) bool
		n  int
	}{{keyed, f.limits.Keyed}, {all, f.limits.All}} {
		if limit.of(v) && !f.makePlace(v.from, limit.of, limit.n) {
			return problem.TooManyViewers.New("too many pages are open (at most %d): close one", limit.n)
		}
	}
	v.pause = time.Duration(len(f.viewers)) * turn % max(f.interval/2, 1)
	f.viewers = append(f.viewers, v)
	v.channel = f.channels[v.key]
	if v.channel == nil {
		v.channel = &channel{changed: make(chan struct{}), done: make(chan struct{})}
		f.channels[v.key] = v.channel
		go f.produce(v.key, v.channel)
	}
	v.channel.viewers++
	return nil
}

// makePlace reports whether there are fewer than limit of the chosen viewers, after it has
// ended one if needed; see Serve. The next viewer comes from an address.
func (f *Feed) makePlace(from netip.Addr, chosen func(*viewer) bool, limit int) bool {
	n := 0
	streams, newest := map[netip.Addr]int{}, map[netip.Addr]*viewer{}
	for _, v := range f.viewers {
		if chosen(v) {
			n++
			streams[v.from]++
			newest[v.from] = v
		}
	}
	if n < limit {
		return true
	}
	greatest := from
	for _, v := range f.viewers {
		if streams[v.from] > max(streams[greatest], streams[from]+1) {
			greatest = v.from
		}
	}
	replaced := newest[greatest]
	if replaced == nil {
		return false
	}
	f.remove(replaced)
	replaced.end()
	return true
}

func (f *Feed) leave(v *viewer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remove(v)
}

// remove removes v, unless it was removed already.
func (f *Feed) remove(v *viewer) {
	i := slices.Index(f.viewers, v)
	if i < 0 {
		return
	}
	f.viewers = slices.Delete(f.viewers, i, i+1)
	v.channel.viewers--
	if v.channel.viewers == 0 {
		delete(f.channels, v.key)
		close(v.channel.done)
	}
}
