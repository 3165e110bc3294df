package plan_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"unsafe"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/plan"
)

func template(t testing.TB, p *plan.Planner, target string) *plan.Template {
	t.Helper()
	found, err := p.Find(request(t, target))
	if err != nil || found == nil {
		t.Fatalf("Find(%s) = %v, %v, want a template", target, found, err)
	}
	return found
}

func TestATemplateKeepsItsHeads(t *testing.T) {
	tpl, built := template(t, planner(), "/delay/0"), 0
	head := func(status, protoMajor int, origin string) *answer.Head {
		return tpl.Head(status, protoMajor, false, origin, func() *answer.Head {
			built++
			return answer.NewHead(status, http.Header{})
		})
	}
	first := head(200, 1, "")
	for _, tc := range []struct {
		name               string
		status, protoMajor int
		origin             string
		want               int // heads built
	}{
		{"the same", 200, 1, "", 1},
		{"another status", 503, 1, "", 2},
		{"another protocol", 200, 2, "", 3},
		{"another origin", 200, 1, "http://a.example", 4},
		{"the origin again", 200, 1, "http://a.example", 4},
		{"the status again", 503, 1, "", 4},
	} {
		if got := head(tc.status, tc.protoMajor, tc.origin); got.Status != tc.status || built != tc.want {
			t.Errorf("%s: got status %d and %d heads built, want %d and %d", tc.name, got.Status, built, tc.status,
				tc.want)
		}
	}
	for i := range 100 {
		head(200, 1, fmt.Sprint("http://", i, ".example"))
	}
	if before := built; head(200, 1, "") != first || head(200, 1, "http://99.example") == nil || built != before+1 {
		t.Errorf("after 104 heads the first was built again, or the last was kept: %d built, %d before", built, before)
	}
}

func TestATemplateCopiesTheOriginOfAHead(t *testing.T) {
	tpl, buffer := template(t, planner(), "/delay/0"), []byte("http://a")
	build := func() *answer.Head { return answer.NewHead(200, http.Header{}) }
	first := tpl.Head(200, 1, false, unsafe.String(&buffer[0], len(buffer)), build)
	buffer[len(buffer)-1] = 'b'
	if tpl.Head(200, 1, false, "http://b", build) == first || tpl.Head(200, 1, false, "http://a", build) != first {
		t.Error("the origin of a head changed with the buffer that it was read from")
	}
}

func TestHeadsInParallel(t *testing.T) {
	tpl := template(t, planner(), "/delay/0")
	var loops sync.WaitGroup
	for range 8 {
		loops.Go(func() {
			for i := range 200 {
				status := 200 + i%50
				if h := tpl.Head(status, 1, false, "",
					func() *answer.Head { return answer.NewHead(status, http.Header{}) }); h.Status != status {
					t.Errorf("got a head of status %d, want %d", h.Status, status)
				}
			}
		})
	}
	loops.Wait()
	if n := testing.AllocsPerRun(100, func() {
		tpl.Head(200, 1, false, "",
			func() *answer.Head { panic("built again") })
	}); n != 0 {
		t.Errorf("a head that is kept takes %v allocations", n)
	}
}
