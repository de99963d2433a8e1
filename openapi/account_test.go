package openapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestAccountAnswers(t *testing.T) {
	d := mustLoad(t)
	const apps, keys = "/client/v4/accounts/a/calls/apps", "/client/v4/accounts/a/calls/turn_keys"
	const item = `"uid":"` + sessionID + `","name":"","created":"2026-11-01T02:03:04Z","modified":"2026-11-01T02:03:04.5Z"`
	secret := strings.Repeat("5", 64)
	ok := func(result string) string {
		return `{"success":true,"errors":[],"messages":[],"result":` + result + `}`
	}
	failure := func(code int) string {
		return fmt.Sprintf(`{"success":false,"errors":[{"code":%d,"message":"text"}],"messages":[],"result":null}`, code)
	}
	for _, tc := range []struct {
		method, path string
		status       int
		body         string
		want         string
	}{
		{"GET", apps, 200, ok(`[]`), ""},
		{"GET", apps, 200, ok(`[{` + item + `}]`), ""},
		{"GET", apps, 200, ok(`[{` + item + `,"secret":"` + secret + `"}]`), `property "secret" is unsupported`},
		{"GET", apps, 200, `{"success":true,"errors":null,"messages":[],"result":[]}`, "errors: Value is not nullable"},
		{"GET", apps, 200, `{"success":false,"errors":[],"messages":[],"result":[]}`, "success: value is not one of"},
		{"GET", apps, 200, `[]`, "value must be an object"},
		{"POST", apps, 201, ok(`{` + item + `,"secret":"` + secret + `"}`), ""},
		{"POST", apps, 201, ok(`{` + item + `}`), `property "secret" is missing`},
		{"POST", apps, 200, ok(`{` + item + `,"secret":"` + secret + `"}`), "status is not supported"},
		{"POST", apps, 201, ok(`{` + item + `,"secret":"short"}`), "secret: minimum string length is 64"},
		{"POST", keys, 201, ok(`{` + item + `,"key":"` + secret + `","secret":"` + secret + `"}`), ""},
		{"POST", keys, 201, ok(`{` + item + `,"secret":"` + secret + `"}`), `property "key" is missing`},
		{"GET", apps + "/x", 200, ok(`{` + item + `}`), ""},
		{"PUT", apps + "/x", 200, ok(`{` + item + `,"secret":"` + secret + `"}`), `property "secret" is unsupported`},
		{"DELETE", keys + "/x", 200, ok(`{` + item + `}`), ""},
		{"DELETE", keys + "/x", 200, ok(`null`), "result: Value is not nullable"},
		{"DELETE", keys + "/x", 204, `{}`, "status is not supported"},
		{"GET", apps, 400, failure(9106), ""},
		{"GET", apps, 401, failure(10000), ""},
		{"GET", apps, 401, failure(9106), "code: value is not one of"},
		{"GET", apps, 403, failure(10002), ""},
		{"GET", apps + "/x", 404, failure(20007), ""},
		{"GET", apps + "/x", 404, strings.Replace(failure(20007), "null", "{}", 1), "result: value is not one of"},
		{"GET", apps + "/x", 404, `{"errorCode":"not_found","errorDescription":"x"}`, "is unsupported"},
		{"POST", apps, 413, failure(413), ""},
		{"GET", "/client/v4/zones", 404, failure(7003), ""},
		{"PATCH", apps, 405, failure(7001), ""},
		{"OPTIONS", apps, 405, failure(7001), ""},
		{"OPTIONS", apps, 204, `{}`, "status is not supported"},
	} {
		header := http.Header{"Content-Type": {"application/json"}}
		err := d.ValidateResponse(tc.method, tc.path, tc.status, header, []byte(tc.body))
		expect(t, fmt.Sprint(tc.method, tc.path, tc.status, tc.body), err, tc.want)
	}
	for body, want := range map[string]string{
		``: "", `{}`: "", `{"name":"x","y":1}`: "", `{"name":null}`: "", `{"name":1}`: "name: value must be a string", `[]`: "value must be an object",
		`{"name":"` + strings.Repeat("x", 1025) + `"}`: "name: maximum string length is 1024",
	} {
		expect(t, body, d.ValidateRequest("POST", apps, nil, []byte(body)), want)
	}
}
