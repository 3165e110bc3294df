//go:build ignore

// Makes a hundred calls at once, each in a goroutine.
package main

import (
	"fmt"
	"log"
	"net/http"
	"sync"
	"time"
)

const (
	server = "http://localhost:3000"
	name   = "your-name"
)

// run is a new one for each try.
var run = fmt.Sprintf("%s.bounded.%d", name, time.Now().UnixMilli())

func call(number int) {
	url := server + "/delay/200"
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("X-Run-Id", run)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println("call", number, "got", response.StatusCode)
}

func main() {
	// Change this: make all hundred calls, but never more than ten at the same time.
	var calls sync.WaitGroup
	for number := range 100 {
		calls.Add(1)
		go func() {
			defer calls.Done()
			call(number)
		}()
	}
	calls.Wait()
}
