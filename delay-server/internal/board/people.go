package board

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"time"
)

const (
	maxPeople    = 200
	maxLeft      = 10_000 // names that are counted but not shown
	maxAddresses = 200    // of a name
)

// people are the attendees, in the order in which they came. If there are too many, a new
// name is left out, unless its address has fewer names than another: then that address
// loses a name. So an address that floods the board with names takes no other's place, and
// a room behind one address has up to maxPeople names.
type people struct {
	byName  map[string]*person
	inOrder []*person
	names   map[netip.Addr]int // number of people by home

	seed maphash.Seed
	left map[uint64]bool // hashes of names that are left out
}

func newPeople() people {
	return people{
		byName: map[string]*person{}, names: map[netip.Addr]int{},
		seed: maphash.MakeSeed(), left: map[uint64]bool{},
	}
}

// find returns the attendee with the name, or nil if the name is left out. It makes a new
// one for a request from an address, which may take the place of another.
func (p *people) find(name string, from netip.Addr, now time.Time) *person {
	found := p.byName[name]
	if found == nil && len(p.inOrder) >= maxPeople {
		evicted := p.toEvict(from)
		if evicted == nil {
			p.leaveOut(name)
			return nil
		}
		p.remove(evicted)
		p.leaveOut(evicted.name)
	}
	if found == nil {
		found = &person{name: name, home: from, addresses: map[netip.Addr]bool{}, marks: map[string]*mark{}}
		p.byName[name] = found
		p.inOrder = append(p.inOrder, found)
		p.names[from]++
		delete(p.left, p.hash(name))
	}
	found.seen = now
	if from.IsValid() && len(found.addresses) < maxAddresses {
		found.addresses[from] = true
	}
	return found
}

// toEvict returns who gives place to a new name from an address, or nil: of the address
// with the most names, who is quiet for the longest time; whoever has passed nothing first.
func (p *people) toEvict(from netip.Addr) *person {
	var greatest netip.Addr
	for addr, n := range p.names {
		if n > p.names[greatest] || n == p.names[greatest] && addr.Compare(greatest) < 0 {
			greatest = addr
		}
	}
	if p.names[greatest] <= p.names[from]+1 {
		return nil
	}
	var evicted *person
	for _, candidate := range p.inOrder {
		if candidate.home == greatest && (evicted == nil || candidate.goesBefore(evicted)) {
			evicted = candidate
		}
	}
	return evicted
}

func (p *people) remove(gone *person) {
	delete(p.byName, gone.name)
	p.inOrder = slices.DeleteFunc(p.inOrder, func(other *person) bool { return other == gone })
	if p.names[gone.home]--; p.names[gone.home] == 0 {
		delete(p.names, gone.home)
	}
}

func (p *people) leaveOut(name string) {
	if len(p.left) < maxLeft {
		p.left[p.hash(name)] = true
	}
}

func (p *people) hash(name string) uint64 { return maphash.String(p.seed, name) }
