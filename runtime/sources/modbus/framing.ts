// The port of framings: how requests and answers are wrapped on the wire. One request is under way at a time.

/** Takes unit and PDU of a whole frame. */
export type OnFrame = (frame: Buffer) => void;

export interface Framing {
  /** Another stream begins: what was heard in part on the one before is nothing any more. */
  restart(): void;
  /** Wraps a request (unit and PDU). */
  wrap(request: Buffer): Buffer;
  /**
   * Takes bytes as they come, and gives the frames in them that may be answers, whoever sent them.
   * @throws HoldfastError `modbus-garbage` when the bytes cannot be told apart any more: the connection is lost.
   */
  push(chunk: Buffer, onFrame: OnFrame): void;
  /** Bytes are left over that may be the beginning of a frame, or noise that hides one. */
  readonly isAmid: boolean;
  /**
   * It has been quiet for a while: what came last may be a frame behind noise. `onLost` is told of each of several frames within
   * noise: none of them is an answer to anything, but somebody may have asked, and be answered yet.
   */
  settle(onFrame: OnFrame, onLost?: OnFrame): void;
  /** Something is about to be sent, quiet or not: gives the frames that came before. */
  flush(onFrame: OnFrame, onLost?: OnFrame): void;
  /**
   * The request was given up. What was heard since, in words, where it was something and no frame could be made of it, or
   * none that carries what ties it to the request.
   */
  forget(): string | undefined;
}
