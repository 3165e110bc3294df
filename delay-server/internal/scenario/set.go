package scenario

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"flash.test/delay-server/internal/plan"
)

// The bounds of the scenarios of all runs together.
const (
	MaxRuns      = 1000
	MaxRunRoutes = 50_000   // about 100 MB
	MaxRunBytes  = 32 << 20 // of texts and values
)

// bounds are the limits of each scenario that Set.Put stores.
var bounds = limits{routes: 10_000, values: 8 << 20, faults: 50}

// Set has the scenarios of a server: one for all requests, and others for single runs.
// Use NewSet. It is safe for concurrent use.
type Set struct {
	file    *File // nil for none
	planner *plan.Planner
	log     *slog.Logger

	// layers is replaced as a whole, so that each request sees the scenarios of one time.
	// It is nil while there are none.
	layers atomic.Pointer[layers]

	mu  sync.Mutex // held to replace layers
	put *Scenario  // takes the place of the file's; nil for none
}

// layers are the scenarios at one time. They never change.
type layers struct {
	server *Scenario            // nil for none
	runs   map[string]*Scenario // by run
}

// LimitError is returned by Set.Put if all scenarios of runs together would exceed a bound.
type LimitError struct {
	What string // such as "scenarios of runs"
	Max  int
}

// Error names the bound.
func (e *LimitError) Error() string { return fmt.Sprintf("there can be %d %s", e.Max, e.What) }

// NewSet returns a set with the scenario of file, which may be nil. The set follows the
// file. The caller has not started to watch it.
func NewSet(file *File, planner *plan.Planner, log *slog.Logger) *Set {
	s := &Set{file: file, planner: planner, log: log}
	if file != nil {
		file.OnChange(s.follow)
		s.publish(nil)
	}
	return s
}

// Empty reports whether there is no scenario.
func (s *Set) Empty() bool { return s.layers.Load() == nil }

// Find returns the template of the route for the request: one of its run's scenario, else
// one of the server's. If there is none, it returns the methods of other routes at the path
// like Scenario.Find.
func (s *Set) Find(r *plan.Request) (template *plan.Template, allowed string) {
	l := s.layers.Load()
	if l == nil {
		return nil, ""
	}
	if own := l.ofRun(r); own != nil {
		if template, allowed = own.Find(r.Method, r.Path); template != nil {
			return template, ""
		}
	}
	if l.server == nil {
		return nil, allowed
	}
	template, others := l.server.Find(r.Method, r.Path)
	if template != nil {
		return template, ""
	}
	return nil, union(allowed, others)
}

// ofRun returns the scenario of the request's run, or nil. A request with an invalid run
// has none; its plan returns the error.
func (l *layers) ofRun(r *plan.Request) *Scenario {
	if len(l.runs) == 0 {
		return nil
	}
	run, err := plan.RunOf(r)
	if err != nil {
		return nil
	}
	return l.runs[run]
}

// union returns the methods of both lists, sorted.
func union(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	all := append(strings.Split(a, ", "), strings.Split(b, ", ")...)
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// Text returns the text of the run's scenario, or of the server's if run is "". It reports
// false if there is none.
func (s *Set) Text(run string) (text string, ok bool) {
	found := s.current().server
	if run != "" {
		found = s.current().runs[run]
	}
	if found == nil {
		return "", false
	}
	return found.Text(), true
}

// current returns the layers, which may have no scenario.
func (s *Set) current() *layers {
	if l := s.layers.Load(); l != nil {
		return l
	}
	return new(layers)
}

// Put replaces the scenario of the run, or the server's if run is "". Requests that have
// begun keep their plans. The error is from Load or a *LimitError; the old scenario then
// stays.
func (s *Set) Put(run string, text []byte) error {
	s.mu.Lock() // also while loading: one at a time bounds the memory
	defer s.mu.Unlock()
	next, err := loadWithin("scenario", text, s.planner, bounds)
	if err != nil {
		return err
	}
	runs := s.current().runs
	if run == "" {
		s.put = next
		s.log.Info("scenario replaced", "routes", next.Routes())
	} else {
		if runs, err = with(runs, run, next); err != nil {
			return err
		}
		s.log.Debug("scenario of a run replaced", "run", run, "routes", next.Routes())
	}
	s.publish(runs)
	return nil
}

// with returns a copy of runs with one more, or a *LimitError.
func with(runs map[string]*Scenario, run string, next *Scenario) (map[string]*Scenario, error) {
	runs = maps.Clone(runs)
	if runs == nil {
		runs = map[string]*Scenario{}
	}
	runs[run] = next
	routes, bytes := 0, 0
	for _, s := range runs {
		routes += s.Routes()
		bytes += len(s.text) + s.values
	}
	switch {
	case len(runs) > MaxRuns:
		return nil, &LimitError{"scenarios of runs", MaxRuns}
	case routes > MaxRunRoutes:
		return nil, &LimitError{"routes in the scenarios of runs", MaxRunRoutes}
	case bytes > MaxRunBytes:
		return nil, &LimitError{"bytes in the scenarios of runs", MaxRunBytes}
	}
	return runs, nil
}

// Delete removes the scenario that Put stored for the run, or for the server if run is "".
// It reports whether there was one.
func (s *Set) Delete(run string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.current().runs
	if run == "" {
		if s.put == nil {
			return false
		}
		s.put = nil
		s.publish(runs)
		return true
	}
	if runs[run] == nil {
		return false
	}
	runs = maps.Clone(runs)
	delete(runs, run)
	s.publish(runs)
	return true
}

// DeleteRuns removes the scenarios of all runs.
func (s *Set) DeleteRuns() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish(nil)
}

// Reset removes all scenarios that Put stored.
func (s *Set) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put = nil
	s.publish(nil)
}

// follow publishes the file's new scenario, unless Put has replaced it.
func (s *Set) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.put != nil {
		s.log.Info("scenario of the file is not in force: PUT /admin/scenario replaced it until DELETE")
	}
	s.publish(s.current().runs)
}

// publish replaces the layers. The caller holds mu.
func (s *Set) publish(runs map[string]*Scenario) {
	next := &layers{server: s.put, runs: runs}
	if next.server == nil && s.file != nil {
		next.server = s.file.Current()
	}
	if next.server == nil && len(runs) == 0 {
		next = nil
	}
	s.layers.Store(next)
}
