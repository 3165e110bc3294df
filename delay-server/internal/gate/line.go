package gate

import (
	"container/list"

	"flash.test/delay-server/internal/clock"
)

// line is those that wait for one thing, in order of arrival. Its owner's mutex
// guards it.
type line struct{ places list.List }

// place is where one waiter stands in a line.
type place struct {
	signal  *clock.Signal // that it is freed
	element *list.Element
	verdict error // what it was freed with; nil where it may pass
	turn    *turn // of a pool, to come
}

func (l *line) len() int { return l.places.Len() }

// join has w stand last in the line, to await the signal of its place.
func (l *line) join(w *clock.Waiter) *place {
	p := &place{signal: w.Signal()}
	p.element = l.places.PushBack(p)
	return p
}

// first returns the place of the first in the line, which is not empty.
func (l *line) first() *place { return l.places.Front().Value.(*place) }

// free frees the first n of the line with the verdict.
func (l *line) free(n int, verdict error) {
	for range n {
		first := l.places.Front()
		p := l.places.Remove(first).(*place)
		p.element, p.verdict = nil, verdict
		p.signal.Fire()
	}
}

// leave gives the place up, and reports false where it has been freed already.
func (l *line) leave(p *place) bool {
	if p.element == nil {
		return false
	}
	l.places.Remove(p.element)
	return true
}
