/** The peer said what the protocol does not allow. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}
