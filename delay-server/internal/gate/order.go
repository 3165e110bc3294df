package gate

import "iter"

// order keeps the queues or pools of a gate in the order in which they were made, so that
// the newest can be read without the others. The zero value is empty.
type order[T any] struct{ newest *place[T] }

// place is an element of an order: a field of what it is the place of.
type place[T any] struct {
	of           *T
	older, newer *place[T]
}

// add adds of, the newest, whose place is p.
func (o *order[T]) add(of *T, p *place[T]) {
	*p = place[T]{of: of, older: o.newest}
	if o.newest != nil {
		o.newest.newer = p
	}
	o.newest = p
}

func (o *order[T]) remove(p *place[T]) {
	if p.older != nil {
		p.older.newer = p.newer
	}
	if p.newer != nil {
		p.newer.older = p.older
	} else {
		o.newest = p.older
	}
	p.older, p.newer = nil, nil
}

// newestFirst returns up to n elements, the newest first.
func (o *order[T]) newestFirst(n int) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for p := o.newest; p != nil && n > 0 && yield(p.of); p = p.older {
			n--
		}
	}
}
