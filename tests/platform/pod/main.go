// Pod is what a pod of a test runs: a server, or a client that says whether a server is reached.
//
//	pod serve              answers every request on port 8080 with the pod's name
//	pod get URL [HOST]     one request, to a host; prints the answer, or exits 1
//	pod watch URL          a new connection every 50 ms; prints each second how many were made and how many were answered
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	pause = 50 * time.Millisecond
	// Longer than the network's own second try to connect.
	patience = 2 * time.Second
)

// A connection that is there already may outlive the policy that forbids it, so none is used again.
var client = http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("pod serve | get URL [HOST] | watch URL")
	}
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
	switch command, arguments := os.Args[1], os.Args[2:]; {
	case command == "serve":
		go serve()
		<-ends
	case command == "get" && len(arguments) > 0:
		answer, err := get(arguments[0], append(arguments[1:], "")[0])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(answer)
	case command == "watch" && len(arguments) == 1:
		go watch(arguments[0])
		<-ends
	default:
		log.Fatalf("unknown command %q", os.Args[1:])
	}
}

func serve() {
	name, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(":8080", http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, name)
	})))
}

func get(url, host string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	request.Host = host
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return string(text), err
}

func watch(url string) {
	results := make(chan error)
	report, next := time.Tick(time.Second), time.Tick(pause)
	made, answered := 0, 0
	for {
		select {
		case <-next:
			go func() {
				_, err := get(url, "")
				results <- err
			}()
		case err := <-results:
			made++
			if err == nil {
				answered++
			}
		case <-report:
			fmt.Println(made, answered)
		}
	}
}
