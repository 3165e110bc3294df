package web

// Step is a step of the tutorial, or a part of one.
type Step struct {
	Number int // in the tutorial
	Title  string
	Query  string // of /get_data, /async_get_data and the race
	Notice string // what to look at, in two sentences
}

// URL returns the URL of the race with the parameters of the step.
func (s Step) URL() string { return "/?" + s.Query }

// Steps are the steps of the tutorial in order.
var Steps = []Step{
	{1, "No calls", "calls=0",
		"Both respond at once. Without a call to wait for, asynchronous code is no faster."},
	{2, "Two calls", "calls=2&delay=1000",
		"One after another takes two seconds, the sum of the waits. All at once takes one second, the slowest wait."},
	{3, "A third call", "calls=3&delay=1000",
		"One more call adds a whole second to the first lane. The second lane takes as long as before."},
	{3, "Keep adding", "calls=100&delay=50",
		"A hundred waits of 50\u00a0ms add up to five seconds. All at once, they still take about one wait."},
	{4, "A database call", "calls=2&delay=1000&db=500",
		"The last call is now a query of half a second, and the sum is 1.5\u00a0s. " +
			"All at once takes 1\u00a0s: as long as the slowest, whatever its kind."},
}
