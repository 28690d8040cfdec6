// The port for listeners of a line.
import type { HoldfastError } from '../../../kernel/errors.ts';
import type { GarbageKind } from './frame-scanner.ts';

export interface LineListener {
  onFrame(content: Buffer): void;
  onGarbage(garbage: Buffer, why: GarbageKind): void;
  /** The message that ended an exchange: an answer, the mark of a dump, a refusal. */
  onEnd?(content: Buffer): void;
  /** An answer came after its exchange had timed out. */
  onLate?(): void;
  onLost(error: HoldfastError): void;
}
