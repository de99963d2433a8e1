package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/callsemu/callsemu/scripts/internal/proc"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// stampSize is what a message begins with: its number and when it was sent. Number 0 is a probe.
const stampSize = 16

func stamp(b []byte, number uint64) {
	binary.BigEndian.PutUint64(b, number)
	binary.BigEndian.PutUint64(b[8:], uint64(time.Now().UnixNano()))
}

// watcher counts what one subscriber gets.
type watcher struct {
	mu        sync.Mutex
	probed    bool
	received  uint64
	last      uint64
	reordered uint64
	latencies [2][]time.Duration // of the first half, and of the second
	half      uint64             // number of the first message of the second half
}

func watch(c *sfutest.Channel) *watcher {
	w := &watcher{}
	c.Watch(w.message)
	return w
}

func (w *watcher) message(m sfutest.Message) {
	if len(m.Data) < stampSize {
		return
	}
	number := binary.BigEndian.Uint64(m.Data)
	took := time.Duration(time.Now().UnixNano() - int64(binary.BigEndian.Uint64(m.Data[8:])))
	w.mu.Lock()
	defer w.mu.Unlock()
	if number == 0 {
		w.probed = true
		return
	}
	w.received++
	if number < w.last {
		w.reordered++
	}
	w.last = number
	half := 0
	if number >= w.half {
		half = 1
	}
	w.latencies[half] = append(w.latencies[half], took)
}

func (w *watcher) linked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.probed
}

// link sends probes until everybody hears.
func link(ctx context.Context, source *sfutest.Channel, watchers []*watcher) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	probe := make([]byte, stampSize)
	for slices.ContainsFunc(watchers, func(w *watcher) bool { return !w.linked() }) {
		if err := source.Send(probe); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.New("not every subscriber hears the publisher")
		}
	}
	return nil
}

// measure sends, waits for what is on its way, and prints.
func measure(ctx context.Context, o options, source *sfutest.Channel, watchers []*watcher, stuck []*endpoint) error {
	total := uint64(o.Length.Seconds() * float64(o.rate))
	for _, w := range watchers {
		w.half = total/2 + 1
	}
	before, err := proc.Of(o.PID)
	if err != nil {
		return err
	}
	began := time.Now()
	var sent uint64
	var failure error
	var loop sync.WaitGroup
	loop.Go(func() {
		sent, failure = send(ctx, o, source, total, func() {
			for _, e := range stuck {
				e.peer.Vanish()
			}
		})
	})
	loop.Wait()
	took := time.Since(began)
	if failure != nil {
		return failure
	}
	settle(ctx, o.drain, watchers, sent)
	after, err := proc.Of(o.PID)
	if err != nil {
		return err
	}
	report(o, watchers, sent, took, before, after)
	for i, w := range watchers {
		if got, reordered := w.counts(); got != sent || reordered != 0 {
			return fmt.Errorf("subscriber %d received %d of %d messages, %d out of order: the server or this machine does not keep up", i, got, sent, reordered)
		}
	}
	return nil
}

// send paces by the clock: what is late is caught up.
func send(ctx context.Context, o options, source *sfutest.Channel, total uint64, atHalf func()) (uint64, error) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	began := time.Now()
	message := make([]byte, o.size)
	var sent uint64
	for sent < total {
		due := min(total, uint64(time.Since(began).Seconds()*float64(o.rate)))
		for ; sent < due; sent++ {
			if sent == total/2 {
				atHalf()
			}
			stamp(message, sent+1)
			if err := source.Send(message); err != nil {
				return sent, err
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return sent, ctx.Err()
		}
	}
	return sent, nil
}

func (w *watcher) counts() (received, reordered uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.received, w.reordered
}

// settle waits until everything has come, or nothing more does.
func settle(ctx context.Context, most time.Duration, watchers []*watcher, sent uint64) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(most)
	for time.Now().Before(deadline) {
		missing := slices.ContainsFunc(watchers, func(w *watcher) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.received < sent
		})
		if !missing {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func report(o options, watchers []*watcher, sent uint64, took time.Duration, before, after proc.Usage) {
	var received, reordered uint64
	var halves [2][]time.Duration
	for _, w := range watchers {
		w.mu.Lock()
		received += w.received
		reordered += w.reordered
		for i := range halves {
			halves[i] = append(halves[i], w.latencies[i]...)
		}
		w.mu.Unlock()
	}
	expected := sent * uint64(len(watchers))
	fmt.Printf("sent %d messages of %d bytes in %.1f s (%.0f a second) to %d subscribers\n", sent, o.size, took.Seconds(),
		float64(sent)/took.Seconds(), len(watchers))
	fmt.Printf("delivered %d of %d, lost %d, out of order %d, %.0f messages and %.2f MB a second\n", received, expected, expected-received, reordered,
		float64(received)/took.Seconds(), float64(received)*float64(o.size)/1e6/took.Seconds())
	both := slices.Concat(halves[0], halves[1])
	fmt.Printf("latency p50 %s, p99 %s, max %s\n", percentile(both, 50), percentile(both, 99), percentile(both, 100))
	if o.stuck > 0 {
		first, second := percentile(halves[0], 50), percentile(halves[1], 50)
		fmt.Printf("%d subscribers lost their network at half time: p50 %s before, %s after, ratio %.2f; p99 %s and %s\n", o.stuck, first, second,
			float64(second)/float64(first), percentile(halves[0], 99), percentile(halves[1], 99))
	}
	if o.PID != 0 {
		cpu := after.CPU - before.CPU
		fmt.Printf("server: %.2f s of CPU, %.1f us per delivered message, resident %d MB before and %d MB after\n", cpu.Seconds(),
			cpu.Seconds()*1e6/float64(max(received, 1)), before.Resident>>20, after.Resident>>20)
	}
}

func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(len(list)-1, len(list)*p/100)].Round(time.Microsecond)
}
