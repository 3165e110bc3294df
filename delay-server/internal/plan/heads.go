package plan

import (
	"strings"
	"sync/atomic"

	"flash.test/delay-server/internal/answer"
)

// maxHeads is the most heads that a template keeps.
const maxHeads = 32

// headCache keeps heads. It is read without a lock, and copied to be written.
type headCache struct{ heads atomic.Pointer[[]cachedHead] }

type cachedHead struct {
	status, protoMajor int
	paced              bool
	origin             string
	head               *answer.Head
}

// Head returns the head of t's answers with the status, over a version of HTTP, with a
// body that is paced or not, to pages of an origin. It calls build unless it keeps the
// head that build returned for the same arguments. It keeps a copy of origin.
func (t *Template) Head(status, protoMajor int, paced bool, origin string, build func() *answer.Head) *answer.Head {
	if t.dynamic {
		return build()
	}
	old := t.heads.heads.Load()
	if old != nil {
		for i := range *old {
			if h := &(*old)[i]; h.status == status && h.protoMajor == protoMajor && h.paced == paced &&
				h.origin == origin {
				return h.head
			}
		}
		if len(*old) == maxHeads {
			return build()
		}
	}
	head := build()
	var heads []cachedHead
	if old != nil {
		heads = append(make([]cachedHead, 0, len(*old)+1), *old...)
	}
	heads = append(heads, cachedHead{status, protoMajor, paced, strings.Clone(origin), head})
	t.heads.heads.CompareAndSwap(old, &heads) // else another goroutine was first, and the next request builds it again
	return head
}
