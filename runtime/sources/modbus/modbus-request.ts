// A request as its maker sees it: how it is sent, and what is made of the answer.

/** `W`: how it is asked, and `N`: what takes the answer, of the library that makes requests. */
export interface RequestBy<W, N, T> {
  send(wire: W, next: N): void;
  /** For messages: "reading 2 holding registers from 40 of unit 7". */
  describe(): string;
  /** Converts the answer: `result` is the library's, `answer` the bytes (unit and PDU). May throw `modbus-garbage`. */
  take(result: unknown, answer: Buffer | undefined): T;
  readonly timeoutMs: number;
  /** Called right before the request itself is sent, after any probes. If it throws, the request is not sent. */
  onSend?(): void;
}
