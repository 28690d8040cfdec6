// The process around each stand-in for equipment: numbers as options, one JSON line once it is ready, and an end by SIGTERM
// or SIGINT.
import { InvalidArgumentError } from 'commander';
import { describeError } from '../../kernel/errors.ts';

export interface Running {
  /** What the ready line says. */
  readonly info: object;
  /** Releases ports and timers. */
  stop(): Promise<void>;
}

/** An option of at most nine digits. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('must be a whole number.');
  return Number(text);
}

/** The same, and not 0: of nothing that ran nothing would be wrong. */
export function positiveWhole(text: string): number {
  const number = wholeNumber(text);
  if (number === 0) throw new InvalidArgumentError('must be 1 or more.');
  return number;
}

/** Exit code 1, and the error on standard error, where it does not start (its port is taken) or stop as it should. */
export async function untilSignal(starting: Promise<Running>): Promise<void> {
  const running = await starting.catch((error: unknown) => {
    console.error(`cannot start: ${describeError(error)}`);
    process.exit(1);
  });
  process.stdout.write(`${JSON.stringify({ ready: true, ...running.info })}\n`);
  const end = () => {
    running.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
}
