// Hello is the demo's web application: it says which pod answered, so that a person sees the
// load balancer at work and a test can tell one pod from another.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Time for the endpoints to forget this pod before it stops to answer.
const grace = 2 * time.Second

func main() {
	name, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(answer, "hello from %s\n", name)
	})
	routes.HandleFunc("/health", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, "ok")
	})
	server := &http.Server{Addr: ":8080", Handler: routes, ReadHeaderTimeout: 5 * time.Second}

	asked, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	log.Printf("%s answers on %s", name, server.Addr)

	<-asked.Done()
	time.Sleep(grace)
	if err := server.Shutdown(context.Background()); err != nil {
		log.Print(err)
	}
}
