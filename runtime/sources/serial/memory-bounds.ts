// The bounds of an instrument's memory, as it reports them: the oldest and the newest record.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { HistoryConfig, SerialSourceConfig } from './config.ts';
import { toBytes } from './escapes.ts';
import { isEcho } from './exchange.ts';
import { compilePattern } from './patterns.ts';
import { refused } from './serial-errors.ts';
import type { SerialLine } from './serial-line.ts';

type BoundsConfig = NonNullable<HistoryConfig['bounds']>;

/** As they are written: numbers or times. Undefined where the memory is empty. */
export type BoundTexts = { readonly oldest: string; readonly newest: string } | undefined;

/** Asks, in a turn. @throws HoldfastError `serial-history-invalid` where the answer holds no bounds. */
export async function askBounds(
  line: SerialLine,
  bounds: BoundsConfig,
  config: SerialSourceConfig,
): Promise<BoundTexts> {
  const compiled = compilePattern(bounds.pattern);
  if (!compiled.ok) throw new Error(`the pattern ${compiled.problem}`);
  const command = toBytes(bounds.command);
  const none = config.history?.none === undefined ? undefined : toBytes(config.history.none);
  const refusals = config.refusals.map(toBytes);
  let found: Readonly<Record<string, string>> | 'none' | undefined;
  await line.exchange({
    command,
    echo: config.poll?.echo ?? false,
    timeoutMs: bounds.timeoutMs,
    // Live messages in between do not put off the end.
    limitMs: bounds.timeoutMs,
    take(content) {
      if (isEcho(content, command)) return 'taken';
      if (refusals.some((prefix) => begins(content, prefix))) throw refused(command, content);
      const said = none && begins(content, none) ? 'none' : compiled.match(content.toString('latin1'));
      if (said === undefined) return 'other';
      // Of several the last one counts: the line may not have been in step.
      found = said;
      return 'last';
    },
  });
  if (found === undefined) throw invalidBounds('is nothing');
  if (found === 'none') return undefined;
  const { oldest, newest } = found;
  if (oldest === undefined || newest === undefined) throw invalidBounds('has no group oldest or newest');
  return { oldest, newest };
}

function begins(content: Buffer, prefix: Buffer): boolean {
  return content.subarray(0, prefix.length).equals(prefix);
}

export function invalidBounds(why: string): HoldfastError {
  const message = `what the instrument says of its memory ${why}: correct history.bounds`;
  return new HoldfastError('serial-history-invalid', message, { retryable: true });
}
