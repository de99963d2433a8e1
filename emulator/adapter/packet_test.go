package adapter

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// reference is the message of contract 5.3 for the protobuf library, which knows nothing of our framing.
func reference(tb testing.TB) protoreflect.MessageDescriptor {
	tb.Helper()
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{
			Name: proto.String(name), Number: proto.Int32(number), Type: kind.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("packet.proto"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Packet"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("sequenceNumber", 1, descriptorpb.FieldDescriptorProto_TYPE_UINT32),
				field("timestamp", 2, descriptorpb.FieldDescriptorProto_TYPE_UINT32),
				field("payload", 5, descriptorpb.FieldDescriptorProto_TYPE_BYTES),
			},
		}},
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return file.Messages().Get(0)
}

func referenceMessage(md protoreflect.MessageDescriptor, p Packet) *dynamicpb.Message {
	m := dynamicpb.NewMessage(md)
	m.Set(md.Fields().ByNumber(1), protoreflect.ValueOfUint32(p.SequenceNumber))
	m.Set(md.Fields().ByNumber(2), protoreflect.ValueOfUint32(p.Timestamp))
	if p.Payload != nil {
		m.Set(md.Fields().ByNumber(5), protoreflect.ValueOfBytes(p.Payload))
	}
	return m
}

func TestPacketIsWhatTheProtobufLibraryWrites(t *testing.T) {
	md := reference(t)
	for _, p := range []Packet{
		{},
		{SequenceNumber: 1},
		{Timestamp: 960},
		{SequenceNumber: 127, Timestamp: 128, Payload: []byte{0}},
		{SequenceNumber: 1<<32 - 1, Timestamp: 1<<32 - 1, Payload: bytes.Repeat([]byte{7, 9}, 1920)},
	} {
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(referenceMessage(md, p))
		if err != nil {
			t.Fatal(err)
		}
		got := p.Append(nil)
		if !bytes.Equal(got, want) {
			t.Errorf("%d/%d: % x, the library writes % x", p.SequenceNumber, p.Timestamp, got[:min(20, len(got))], want[:min(20, len(want))])
		}
		back, err := ParsePacket(want)
		if err != nil || back.SequenceNumber != p.SequenceNumber || back.Timestamp != p.Timestamp || !bytes.Equal(back.Payload, p.Payload) {
			t.Errorf("reads back as %+v, %v", back, err)
		}
	}
}

func TestUnknownFieldsAreSkippedAndTheLastValueCounts(t *testing.T) {
	b := protowire.AppendTag(nil, 3, protowire.BytesType)
	b = protowire.AppendBytes(b, []byte("reserved"))
	b = Packet{SequenceNumber: 1, Payload: []byte("first")}.Append(b)
	b = protowire.AppendTag(b, 5, protowire.VarintType) // a payload of another wire type is an unknown field
	b = protowire.AppendVarint(b, 99)
	b = Packet{SequenceNumber: 2, Payload: []byte("second")}.Append(b)
	p, err := ParsePacket(b)
	if err != nil || p.SequenceNumber != 2 || string(p.Payload) != "second" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestBrokenMessagesAreRefused(t *testing.T) {
	whole := Packet{SequenceNumber: 300, Timestamp: 70000, Payload: []byte("payload")}.Append(nil)
	for _, b := range [][]byte{{0x00}, {0xff}, {0x2a, 0x05, 1}, whole[:len(whole)-1], {0x0b}} {
		if p, err := ParsePacket(b); !errors.Is(err, ErrPacket) {
			t.Errorf("% x is read as %+v, %v", b, p, err)
		}
	}
}

func FuzzParsePacket(f *testing.F) {
	md := reference(f)
	f.Add([]byte{})
	f.Add(Packet{SequenceNumber: 1, Timestamp: 2, Payload: []byte("abc")}.Append(nil))
	f.Add([]byte{0x1b, 0x1c})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePacket(b)
		m := dynamicpb.NewMessage(md)
		wanted := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, m)
		if (err == nil) != (wanted == nil) {
			t.Fatalf("% x: we say %v, the library %v", b, err, wanted)
		}
		if err != nil {
			return
		}
		again, err := ParsePacket(p.Append(nil))
		if err != nil || again.SequenceNumber != p.SequenceNumber || again.Timestamp != p.Timestamp || !bytes.Equal(again.Payload, p.Payload) {
			t.Fatalf("% x: %+v comes back as %+v, %v", b, p, again, err)
		}
		if seq := uint32(m.Get(md.Fields().ByNumber(1)).Uint()); seq != p.SequenceNumber {
			t.Fatalf("% x: sequence number %d, the library reads %d", b, p.SequenceNumber, seq)
		}
		if payload := m.Get(md.Fields().ByNumber(5)).Bytes(); !bytes.Equal(payload, p.Payload) {
			t.Fatalf("% x: payload % x, the library reads % x", b, p.Payload, payload)
		}
	})
}
