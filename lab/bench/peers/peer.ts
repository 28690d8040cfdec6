// What this bench asks of everything that can keep messages for a receiver that is away.

export interface Sending {
  /** Messages that were handed over so far. */
  readonly handed: number;
  /** Messages that it has said to be safe. Where it says nothing, all that were handed over. */
  readonly accepted: number;
  /** Hands over no more, and waits for what is under way. */
  stop(): Promise<void>;
}

export interface Server {
  readonly pid: number;
  /** Numbered messages of 80 bytes, as fast as they are taken. Goes on until stopped or the server is gone. */
  send(): Sending;
  /** Messages that it holds, where it can say so while it runs. */
  stored?(): number;
  kill(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** What has to be installed; undefined for what is part of this repository. */
  readonly program?: string;
  start(folder: string): Promise<Server>;
  /** Starts again on what is left in `folder`, lets the receiver come back, and counts what it gets. */
  recover(folder: string): Promise<number>;
}

export const messageBytes = 80;

export function message(number: number): string {
  const text = `{"index":${1_700_000_000_000 + number},"tag":"line1/tag${number % 50}","value":${(number % 977) / 8}`;
  return `${text.padEnd(messageBytes - 2)}}\n`;
}
