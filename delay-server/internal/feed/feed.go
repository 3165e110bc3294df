// Package feed sends the newest state of something to many viewers, as server-sent
// events. It costs nothing without viewers. With viewers, the state is made once for
// all of them, and a viewer that reads slowly skips states.
package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/kit/httpkit"
)

// keepAlive is the time between two comments on a silent stream. A page that hears
// nothing for twice as long connects again.
const keepAlive = 5 * time.Second

// turn is the time between the writes of two viewers. If all wrote at once, whatever else
// the server does would be late by the time that takes.
const turn = 2 * time.Millisecond

// Feed is a feed of states by key, such as the name of a run. Use New.
type Feed struct {
	state    func(key string) any
	interval time.Duration
	limits   Limits
	running  context.Context // done after Close
	stop     context.CancelFunc

	mu       sync.Mutex
	channels map[string]*channel // with at least one viewer
	viewers  []*viewer           // in the order in which they came
}

// channel is the state of one key. Its fields are guarded by Feed.mu.
type channel struct {
	viewers int
	event   []byte        // the newest
	changed chan struct{} // closed at the next event
	done    chan struct{} // closed when there is no viewer any more
}

// Comparer is implemented by a state that need not be sent although its JSON has changed.
type Comparer interface {
	// Same reports whether viewers of before, the state of the key before, need not see
	// this one.
	Same(before any) bool
}

// New returns a feed. While a key has viewers, state is called with it at most once per
// interval, and its result is sent as JSON if it has changed; see Comparer.
func New(limits Limits, interval time.Duration, state func(key string) any) *Feed {
	f := &Feed{state: state, interval: interval, limits: limits, channels: map[string]*channel{}}
	f.running, f.stop = context.WithCancel(context.Background())
	return f
}

// Close ends all streams, also streams that begin later.
func (f *Feed) Close() { f.stop() }

// Serve responds with the stream of the key's states, as events named state. It returns
// when the client has left, when another viewer has taken its place, or after Close. The
// error is a *problem.Problem if there is no place.
//
// If there are too many streams, the newest of the client address with the most ends. So
// a client that opens many keeps no other out, and a room may share one address. An
// address takes no place from another that would then have fewer than itself.
func (f *Feed) Serve(c echo.Context, key string) error {
	ctx, end := context.WithCancel(c.Request().Context())
	defer end()
	defer context.AfterFunc(f.running, end)()
	v := &viewer{key: key, from: gate.ClientAddr(httpkit.RemoteAddr(c.Request())), end: end}
	if err := f.join(v); err != nil {
		return err
	}
	defer f.leave(v)
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // for nginx
	f.stream(ctx, c.Response(), v)
	return nil
}

// stream sends the events of v's channel until ctx is done or the client has left.
func (f *Feed) stream(ctx context.Context, w http.ResponseWriter, v *viewer) {
	control := http.NewResponseController(w)
	silence := time.NewTicker(keepAlive)
	defer silence.Stop()
	var last []byte
	for {
		f.mu.Lock()
		event, changed := v.channel.event, v.channel.changed
		f.mu.Unlock()
		if !bytes.Equal(event, last) {
			if _, err := w.Write(event); err != nil {
				return
			}
			last = event
			silence.Reset(keepAlive)
		}
		if err := control.Flush(); err != nil {
			return
		}
		select {
		case <-changed:
			select {
			case <-time.After(v.pause):
			case <-ctx.Done():
				return
			}
		case <-silence.C:
			if _, err := w.Write([]byte(": keep-alive\n\n")); err != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// produce makes the events of ch until it has no viewer.
func (f *Feed) produce(key string, ch *channel) {
	ticks := time.NewTicker(f.interval)
	defer ticks.Stop()
	var sent any
	for {
		next := f.state(key)
		if c, ok := next.(Comparer); sent == nil || !ok || !c.Same(sent) {
			sent = next
			f.publish(ch, encode(next))
		}
		select {
		case <-ticks.C:
		case <-ch.done:
			return
		case <-f.running.Done():
			return
		}
	}
}

// publish makes event the newest of ch, if it has changed.
func (f *Feed) publish(ch *channel, event []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !bytes.Equal(event, ch.event) {
		ch.event = event
		close(ch.changed)
		ch.changed = make(chan struct{})
	}
}

// encode returns the event of a state.
func encode(state any) []byte {
	data, err := json.Marshal(state)
	if err != nil {
		panic(fmt.Sprintf("state: %v", err)) // unreachable: states are plain structs
	}
	return fmt.Appendf(nil, "event: state\ndata: %s\n\n", data)
}
