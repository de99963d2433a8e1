package emulator_test

import (
	"net/http"
	"testing"

	"github.com/callsemu/callsemu/emulator"
)

// A test of an application starts an emulator and points the application at it.
func ExampleRunT() {
	TestJoin := func(t *testing.T) {
		calls := emulator.RunT(t) // closed when the test ends

		req, err := http.NewRequest(http.MethodPost, calls.BaseURL()+"/apps/"+calls.AppID()+"/sessions/new", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+calls.Secret())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("sessions/new: %s", resp.Status)
		}
	}
	_ = TestJoin // go test runs it
}
