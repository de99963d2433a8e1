package emulator_test

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/callsemu/callsemu/emulator"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/openapi"
)

// schemaPair is a Go type and the schema of openapi.yaml that describes it.
type schemaPair struct {
	value  any
	schema string

	// optional names fields that are always written but need not be sent.
	optional []string
	// checked names fields that must be sent, which Validate sees to and not the type.
	checked []string
	// unused names fields of a shared Go type that this schema does not have.
	unused []string
}

func schemaPairs() []schemaPair {
	return []schemaPair{
		{value: wire.SessionDescription{}, schema: "SessionDescription"},
		{value: wire.SessionDescription{}, schema: "SfuDescription"},
		{value: wire.NewSessionRequest{}, schema: "NewSessionRequest"},
		{value: wire.NewSessionResponse{}, schema: "NewSessionResponse"},
		{value: wire.TracksRequest{}, schema: "TracksRequest"},
		{value: wire.TrackObject{}, schema: "TrackObject"},
		{value: wire.Simulcast{}, schema: "Simulcast"},
		{value: wire.Simulcast{}, schema: "SimulcastEcho"},
		{value: wire.TracksResponse{}, schema: "TracksResponse"},
		{value: wire.TrackResult{}, schema: "TrackResult"},
		// Decoding leaves the presence of tracks and mid to Validate.
		{value: wire.UpdateTracksRequest{}, schema: "UpdateTracksRequest", checked: []string{"tracks"}},
		{value: wire.UpdateTrack{}, schema: "UpdateTrack", checked: []string{"mid"}},
		{value: wire.UpdateTracksResponse{}, schema: "UpdateTracksResponse"},
		// An update has the items of tracks/new with fewer fields in use.
		{value: wire.TrackResult{}, schema: "UpdateTrackResult", unused: []string{"location", "kind", "simulcast"}},
		{value: wire.RenegotiateRequest{}, schema: "RenegotiateRequest"},
		{value: wire.RenegotiateResponse{}, schema: "RenegotiateResponse"},
		// An absent force counts as false (contract 1.6).
		{value: wire.CloseTracksRequest{}, schema: "CloseTracksRequest", optional: []string{"force"}},
		{value: wire.CloseTrack{}, schema: "CloseTrack"},
		{value: wire.CloseTracksResponse{}, schema: "CloseTracksResponse"},
		// A close has the items of tracks/new with fewer fields in use.
		{value: wire.TrackResult{}, schema: "CloseTrackResult", unused: []string{"location", "kind", "sessionId", "trackName", "simulcast"}},
		{value: wire.SessionState{}, schema: "SessionState"},
		{value: wire.TrackState{}, schema: "TrackState"},
		{value: wire.DataChannelState{}, schema: "DataChannelState"},
		{value: wire.EstablishRequest{}, schema: "EstablishRequest"},
		{value: wire.EstablishChannel{}, schema: "EstablishChannel"},
		{value: wire.EstablishResponse{}, schema: "EstablishResponse"},
		{value: wire.EstablishedChannel{}, schema: "EstablishedChannel"},
		{value: wire.NewChannelsRequest{}, schema: "NewChannelsRequest"},
		{value: wire.ChannelObject{}, schema: "ChannelObject"},
		{value: wire.ChannelsResponse{}, schema: "NewChannelsResponse"},
		{value: wire.ChannelResult{}, schema: "NewChannelResult", checked: []string{"location", "dataChannelName"}},
		{value: wire.UpdateChannelsRequest{}, schema: "UpdateChannelsRequest"},
		// An update names its items as datachannels/new does; of the rest only canReply is looked at.
		{value: wire.ChannelObject{}, schema: "UpdateChannel", checked: []string{"sessionId"},
			unused: []string{"ordered", "maxRetransmits", "maxPacketLifeTime", "waitForAck"}},
		{value: wire.ChannelsResponse{}, schema: "UpdateChannelsResponse"},
		{value: wire.ChannelResult{}, schema: "UpdateChannelResult", checked: []string{"location", "sessionId", "dataChannelName"}},
		{value: wire.CloseChannelsRequest{}, schema: "CloseChannelsRequest"},
		{value: wire.CloseChannel{}, schema: "CloseChannel"},
		{value: wire.ChannelsResponse{}, schema: "CloseChannelsResponse"},
		{value: wire.ChannelResult{}, schema: "CloseChannelResult", checked: []string{"id"}, unused: []string{"canReply"}},
		{value: wire.AdaptersRequest{}, schema: "AdaptersRequest", checked: []string{"tracks"}},
		{value: wire.AdapterTrack{}, schema: "AdapterTrack", checked: []string{"location", "trackName", "endpoint"}},
		{value: wire.AdaptersResponse{}, schema: "AdaptersResponse"},
		{value: wire.AdapterResult{}, schema: "AdapterResult"},
		{value: wire.CloseAdaptersRequest{}, schema: "CloseAdaptersRequest", checked: []string{"tracks"}},
		{value: wire.CloseAdapter{}, schema: "CloseAdapter", checked: []string{"adapterId"}},
		{value: wire.CloseAdaptersResponse{}, schema: "CloseAdaptersResponse"},
		{value: wire.CloseAdapterResult{}, schema: "CloseAdapterResult"},
		{value: wire.Error{}, schema: "RefusedError"},
		{value: wire.CredentialsRequest{}, schema: "CredentialsRequest", optional: []string{"customIdentifier"}},
		{value: wire.ICEServersResponse{}, schema: "ICEServersResponse"},
		{value: wire.CredentialsResponse{}, schema: "CredentialsResponse"},
		{value: wire.ICEServer{}, schema: "ICEServer"},
		{value: wire.AccountRequest{}, schema: "AccountRequest", optional: []string{"name"}},
		{value: wire.AccountItem{}, schema: "AccountItem"},
		{value: wire.NewAccountApp{}, schema: "NewAccountApp"},
		{value: wire.NewTURNKey{}, schema: "NewTURNKey"},
		{value: wire.Envelope{}, schema: "FailureEnvelope"},
		{value: wire.EnvelopeMessage{}, schema: "EnvelopeMessage"},
		{value: wire.EnvelopeSource{}, schema: "EnvelopeSource"},
		{value: emulator.Readiness{}, schema: "Readiness"},
	}
}

// schemasWithoutType are the schemas that narrow another one down or describe
// answers that no Go type of the emulator makes.
var schemasWithoutType = []string{
	"ClientOffer", "ClosingOffer", "SfuOffer", "SfuAnswer", "SessionId", // of a description, an id
	"PushRequest", "PushWithoutOfferRequest", "PullRequest", "AutoDiscoverRequest", "WithOffer", // of TracksRequest
	"LocalTrack", "RemoteTrack", // of TrackObject
	"AnsweredTracks", "OfferedTracks", "SettledTracks", "FailedTracks", "OnlyFailedTracks", // of TracksResponse
	"PushedTrack", "PulledTrack", "FailedTrack", "ItemErrorCode", // of TrackResult
	"EstablishOffered", "EstablishAnswered", // of EstablishResponse
	"ChannelId", "ChannelErrorCode", // of the results of data channels
	"ItemEnvelope", "NewAppEnvelope", "NewKeyEnvelope", "ListEnvelope", // of Envelope
	"ConnectedAdapters", "FailedAdapters", "OnlyFailedAdapters", "ClosedAdapters", "UnclosedAdapters", // of answers about adapters
	"Error", "UnavailableError", // RefusedError without a subcode
}

func loadSchemas(t *testing.T) (*openapi.Document, openapi3.Schemas) {
	t.Helper()
	d, err := openapi.Load()
	if err != nil {
		t.Fatal(err)
	}
	return d, d.Spec().Components.Schemas
}

func TestWireTypesMatchTheirSchemas(t *testing.T) {
	_, schemas := loadSchemas(t)
	for _, pair := range schemaPairs() {
		t.Run(pair.schema, func(t *testing.T) {
			ref := schemas[pair.schema]
			if ref == nil {
				t.Fatal("openapi.yaml has no such schema")
			}
			for _, fault := range pair.compare(ref.Value) {
				t.Error(fault)
			}
		})
	}
}

// compare lists what differs between the Go type and the schema.
func (p schemaPair) compare(schema *openapi3.Schema) (faults []string) {
	typ := reflect.TypeOf(p.value)
	seen := map[string]bool{}
	for i := range typ.NumField() {
		name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if name == "-" || slices.Contains(p.unused, name) {
			continue
		}
		seen[name] = true
		property := schema.Properties[name]
		if property == nil {
			faults = append(faults, fmt.Sprintf("%s.%s: the schema has no property %q", typ, typ.Field(i).Name, name))
			continue
		}
		required := !strings.Contains(options, "omitempty") && !slices.Contains(p.optional, name) || slices.Contains(p.checked, name)
		if in := slices.Contains(schema.Required, name); in != required {
			faults = append(faults, fmt.Sprintf("%s: required is %t in the schema, %t in Go", name, in, required))
		}
		if want, got := jsonTypeOf(typ.Field(i).Type), schemaTypeOf(property.Value); got != want {
			faults = append(faults, fmt.Sprintf("%s: type is %s in the schema, %s in Go", name, got, want))
		}
	}
	for name := range schema.Properties {
		if !seen[name] {
			faults = append(faults, fmt.Sprintf("%s has no field for the property %q", typ, name))
		}
	}
	return faults
}

// jsonTypeOf is the type of a Go type's JSON, such as "array of object".
func jsonTypeOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return jsonTypeOf(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Uint64:
		return "integer"
	case reflect.Struct:
		return "object"
	case reflect.Slice:
		return "array of " + jsonTypeOf(t.Elem())
	case reflect.Interface:
		return "anything"
	default:
		return t.String()
	}
}

func schemaTypeOf(s *openapi3.Schema) string {
	switch {
	case s.Type == nil && len(s.AllOf) > 0:
		return schemaTypeOf(s.AllOf[0].Value)
	case s.Type == nil, len(s.Enum) == 1 && s.Enum[0] == nil: // always null
		return "anything"
	case s.Type.Is("array"):
		return "array of " + schemaTypeOf(s.Items.Value)
	default:
		return strings.Join(s.Type.Slice(), " or ")
	}
}

// TestEveryTypeAndEverySchemaIsCompared finds what the table forgets: a struct
// within a listed type, a schema without a type.
func TestEveryTypeAndEverySchemaIsCompared(t *testing.T) {
	_, schemas := loadSchemas(t)
	types, names := map[reflect.Type]bool{}, map[string]bool{}
	for _, pair := range schemaPairs() {
		types[reflect.TypeOf(pair.value)] = true
		names[pair.schema] = true
	}
	for typ := range types {
		for i := range typ.NumField() {
			if typ.Field(i).Tag.Get("json") == "-" {
				continue
			}
			inner := typ.Field(i).Type
			for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && strings.HasSuffix(inner.PkgPath(), "/wire") && !types[inner] {
				t.Errorf("%s of %s is not in the table", inner, typ)
			}
		}
	}
	for name := range schemas {
		if names[name] == slices.Contains(schemasWithoutType, name) {
			t.Errorf("schema %s: in the table %t, listed as one without a type %t", name, names[name], !names[name])
		}
	}
	for _, name := range schemasWithoutType {
		if schemas[name] == nil {
			t.Errorf("openapi.yaml has no schema %s", name)
		}
	}
}

// TestCatalogueIsInTheSchemas wants every error that the emulator can answer
// with to be one that openapi.yaml lists.
func TestCatalogueIsInTheSchemas(t *testing.T) {
	d, schemas := loadSchemas(t)
	items := slices.Concat(schemas["ItemErrorCode"].Value.Enum,
		schemas["CloseTrackResult"].Value.Properties["errorCode"].Value.Enum,
		schemas["UpdateTrackResult"].Value.Properties["errorCode"].Value.Enum,
		schemas["AdapterResult"].Value.Properties["errorCode"].Value.Enum,
		schemas["CloseAdapterResult"].Value.Properties["errorCode"].Value.Enum)
	for _, row := range wire.Catalogue() {
		if row.Status == 0 {
			if !slices.Contains(items, any(row.Code)) {
				t.Errorf("no item has the code %s", row.Code)
			}
			continue
		}
		if !listed(d.Spec(), row) {
			t.Errorf("no operation answers %d %s", row.Status, row.Code)
		}
	}
}

// listed reports whether some operation, or what stands beside the operations, answers with the row's status and code.
func listed(spec *openapi3.T, row wire.Row) bool {
	body := map[string]any{"errorCode": row.Code, "errorDescription": row.Text}
	if row.OfAccountAPI() {
		code, _ := strconv.ParseFloat(row.Code, 64)
		body = map[string]any{"success": false, "messages": []any{}, "result": nil,
			"errors": []any{map[string]any{"code": code, "message": row.Text}}}
	}
	if row.Problem == wire.AccountMethodUnknown {
		return spec.Components.Responses["AccountMethodNotAllowed"].Value.Content["application/json"].Schema.Value.VisitJSON(body) == nil
	}
	for _, item := range spec.Paths.Map() {
		for _, operation := range item.Operations() {
			response := operation.Responses.Value(strconv.Itoa(row.Status))
			if response == nil {
				continue
			}
			media := response.Value.Content["application/json"]
			if media.Schema.Value.VisitJSON(body) == nil {
				return true
			}
		}
	}
	return false
}
