// inboundOf is what a receiver has got, with the codec that it decodes.
export async function inboundOf(receiver) {
  const report = await receiver.getStats();
  for (const entry of report.values()) {
    if (entry.type !== 'inbound-rtp') continue;
    const { mimeType, sdpFmtpLine } = report.get(entry.codecId) ?? {};
    return { ...entry, codec: mimeType, fmtp: sdpFmtpLine };
  }
  return {};
}

// sentOf lists what a connection sends, one entry for each simulcast layer.
export async function sentOf(pc) {
  const outbound = [...(await pc.getStats()).values()].filter(({ type }) => type === 'outbound-rtp');
  return outbound.map(({ kind, rid, bytesSent, framesSent, frameWidth, targetBitrate }) => {
    return { kind, rid, bytesSent, framesSent, frameWidth, targetBitrate };
  });
}
