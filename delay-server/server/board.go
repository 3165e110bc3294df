package server

import (
	"flash.test/delay-server/internal/board"
	"flash.test/delay-server/internal/plan"
)

// counts are the planner's counts of runs, and the results on the board, which may be nil.
type counts struct {
	planner *plan.Planner
	board   *board.Board
}

// Forget implements admin.Counts.
func (c counts) Forget(run string) bool {
	known := c.planner.Forget(run)
	return c.board != nil && c.board.Forget(run) || known
}

// ForgetAll implements admin.Counts.
func (c counts) ForgetAll() {
	c.planner.ForgetAll()
	if c.board != nil {
		c.board.ForgetAll()
	}
}
