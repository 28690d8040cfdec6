// How requests and answers are wrapped on the wire. One request is under way at a time, so a framing knows
// which answer it waits for; every other one is late, or someone else's, and is dropped and counted.

export interface Framing {
  /** Wraps a request (unit and PDU) and makes its answer the expected one. */
  wrap(request: Buffer): Buffer;
  /**
   * Takes bytes as they come. Calls `onAnswer` with unit and PDU of the expected answer.
   * @throws HoldfastError `modbus-garbage` when the bytes cannot be told apart any more: the connection is lost.
   */
  push(chunk: Buffer, onAnswer: (answer: Buffer) => void): void;
  /**
   * The request was given up: its answer, should it still come, is a late one. True when something was heard
   * since the request, but no answer could be made of it.
   */
  forget(): boolean;
  /** Answers that were dropped. */
  readonly stray: number;
}
