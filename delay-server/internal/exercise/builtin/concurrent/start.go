//go:build ignore

// Makes three calls, one after another.
package main

import (
	"fmt"
	"log"
	"net/http"
	"time"
)

const (
	server = "http://localhost:3000"
	name   = "your-name"
)

// run is a new one for each try.
var run = fmt.Sprintf("%s.concurrent.%d", name, time.Now().UnixMilli())

func call(number int) {
	url := server + "/delay/1000"
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
	// Change this: start all three calls, and only then wait for the answers.
	for number := range 3 {
		call(number)
	}
}
