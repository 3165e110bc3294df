package web

// Step is one of the tutorial's, or a part of one.
type Step struct {
	Number int // in the tutorial
	Title  string
	Query  string // of /get_data and /async_get_data, and of the race
	Notice string // what to see in it, in two sentences
}

// URL returns the race that is set to the step.
func (s Step) URL() string { return "/?" + s.Query }

// Steps are the tutorial's, in its order.
var Steps = []Step{
	{1, "No calls", "calls=0",
		"Both answer ok at once. Being asynchronous makes nothing faster where nothing is waited for."},
	{2, "Two calls", "calls=2&delay=1000",
		"One after another takes two seconds, the sum of the waits. All at once takes one, the slowest of them."},
	{3, "A third call", "calls=3&delay=1000",
		"One more call adds its whole second to the first lane. The second lane ends when it did before."},
	{3, "Keep adding", "calls=100&delay=50",
		"A hundred waits of 50\u00a0ms add up to five seconds. Together they are still about one wait."},
	{4, "A database call", "calls=2&delay=1000&db=500",
		"The last call is now a query of half a second, and the sum is 1.5\u00a0s. All at once takes 1\u00a0s: as long as the slowest, whatever kind of call that is."},
}
