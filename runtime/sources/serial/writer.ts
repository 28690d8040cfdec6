// Writes one tag by a command of its own: checks that it may be written, and fills the value in.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Value } from '../../../wire/reading.ts';
import type { TagWrite } from '../tag-write.ts';
import { fillTemplate } from './command-template.ts';
import type { SerialSourceConfig, SerialTagConfig } from './config.ts';
import { toBytes } from './escapes.ts';
import { beginsWith } from './message-reader.ts';
import { refused, writeRefused } from './serial-errors.ts';
import type { SerialLine } from './serial-line.ts';

/** Takes a turn at the line. Rejects with a retryable HoldfastError when there is none. */
export type LineTurn = <T>(work: (line: SerialLine) => Promise<T>, signal: AbortSignal) => Promise<T>;

/**
 * The `write` of a source; undefined where none of its tags may be written.
 *
 * It rejects with `source-unknown-tag`, `source-read-only`, `source-cannot-compare` `source-value-invalid` or `serial-write-refused` (for good), or
 * with what the exchange ended in. After a timeout or a lost connection the instrument may have taken the value all the same.
 */
export function createWriter(config: SerialSourceConfig, turn: LineTurn) {
  const tags = new Map(config.tags.map((tag) => [tag.name, tag]));
  if (!config.tags.some(({ write }) => write)) return undefined;
  const refusals = config.refusals.map(toBytes);
  return async (asked: TagWrite, signal: AbortSignal): Promise<void> => {
    const { tag: name, value } = asked;
    const tag = tags.get(name);
    if (!tag) throw new HoldfastError('source-unknown-tag', `${config.name} has no tag '${name}'`);
    const { write } = tag;
    if (!write) {
      const message = `'${name}' of ${config.name} may not be written: give the tag write.command to allow it`;
      throw new HoldfastError('source-read-only', message);
    }
    if (asked.expected !== undefined) {
      const message = `'${name}' of ${config.name} cannot be compared before it is written: no command reads it alone`;
      throw new HoldfastError('source-cannot-compare', message);
    }
    const text = (format: string | undefined) => textOf(tag, value, format, config.fields.decimal);
    const command = fillTemplate(write.command, ({ format }) => text(format));
    const answer = write.answer === undefined ? undefined : toBytes(write.answer);
    await turn(async (line) => {
      if (!answer) {
        asked.onSend();
        return line.send(command);
      }
      await line.exchange({
        command,
        echo: config.poll?.echo ?? false,
        timeoutMs: write.timeoutMs,
        limitMs: write.timeoutMs,
        onSend: () => asked.onSend(),
        take(content, isOurs) {
          if (beginsWith(content, answer)) return 'last';
          if (!refusals.some((prefix) => beginsWith(content, prefix))) return 'other';
          if (!isOurs) throw refused(command, content);
          asked.onRefused?.();
          throw writeRefused(name, command, content);
        },
      });
    }, signal);
  };
}

/** The value as the instrument reads it: the way back from what its messages mean. */
function textOf(tag: SerialTagConfig, value: Value, format: string | undefined, decimal: '.' | ','): string {
  const raw = unname(tag, value);
  if (typeof raw === 'boolean') return raw ? '1' : '0';
  if (typeof raw === 'string') return plainText(tag, raw);
  if (typeof raw !== 'number' || !Number.isFinite(raw))
    throw invalid(tag, 'must be a number, true or false, or text');
  const { scale = 1, offset = 0 } = tag;
  const number = scale === 1 && offset === 0 ? raw : Number(((raw - offset) / scale).toPrecision(15));
  const text = /^\d{1,2}$/.test(format ?? '') ? number.toFixed(Number(format)) : String(number);
  if (/e/i.test(text)) throw invalid(tag, 'must be a number that can be written without an exponent');
  return decimal === ',' ? text.replace('.', ',') : text;
}

function unname({ names }: SerialTagConfig, value: Value): Value {
  if (!names || typeof value !== 'string') return value;
  return Object.entries(names).find(([, name]) => name === value)?.[0] ?? value;
}

/** A control character would begin another command. */
function plainText(tag: SerialTagConfig, text: string): string {
  const isPlain = text.length <= 200 && [...text].every((char) => char >= ' ' && char <= '~');
  if (!isPlain) throw invalid(tag, 'must be at most 200 plain characters: letters, digits, signs');
  return text;
}

function invalid({ name }: SerialTagConfig, problem: string): HoldfastError {
  return new HoldfastError('source-value-invalid', `the value of '${name}' ${problem}`);
}
