package upstream_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"flash.test/demo-api/internal/upstream"
)

func ExampleClient_Get() {
	delayServer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
	}))
	defer delayServer.Close()
	client := upstream.New(delayServer.URL, 30*time.Second, 1000)
	defer client.Close()

	fmt.Println(client.Get(context.Background(), upstream.Request{Delay: "1000", RunID: "tutorial"}))
	// Output:
	// GET /delay/1000/
	// 200 <nil>
}
