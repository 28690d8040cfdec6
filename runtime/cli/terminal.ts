// What a command writes to, and ends with: the process's own, or in tests something else.
import type { Writable } from 'node:stream';

export interface Terminal {
  /** Standard output. */
  readonly out: Writable;
  /** Writes a line to standard error. */
  error(line: string): void;
  /** The exit code, once all is done. */
  endWith(code: number): void;
  /** Ends at once. */
  exit(code: number): never;
}

export const processTerminal: Terminal = {
  get out() {
    return process.stdout;
  },
  error: (line) => console.error(line),
  endWith(code) {
    process.exitCode = code;
  },
  exit: (code) => process.exit(code),
};
