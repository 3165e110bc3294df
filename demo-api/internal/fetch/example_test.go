package fetch_test

import (
	"context"
	"fmt"
	"time"

	"flash.test/demo-api/internal/fetch"
)

// slow returns 200 after 50 ms.
func slow(context.Context) (int, error) {
	time.Sleep(50 * time.Millisecond)
	return 200, nil
}

func ExampleSequential() {
	start := time.Now()
	results, err := fetch.Sequential(context.Background(), []fetch.Call{{Name: "r1", Do: slow}, {Name: "r2", Do: slow}})
	if err != nil {
		fmt.Println(err)
	}
	for _, r := range results {
		fmt.Println(r.Name, r.Status)
	}
	fmt.Println("took the sum:", time.Since(start) >= 100*time.Millisecond)
	// Output:
	// r1 200
	// r2 200
	// took the sum: true
}

func ExampleConcurrent() {
	calls := []fetch.Call{{Name: "r1", Do: slow}, {Name: "r2", Do: slow}}
	results, err := fetch.Concurrent(context.Background(), calls, 0)
	if err != nil {
		fmt.Println(err)
	}
	for _, r := range results {
		fmt.Println(r.Name, r.Status)
	}
	fmt.Println("r2 started before r1 ended:", results[1].Start.Before(results[0].Start.Add(results[0].Duration)))
	// Output:
	// r1 200
	// r2 200
	// r2 started before r1 ended: true
}
