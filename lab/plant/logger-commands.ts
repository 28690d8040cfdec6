// The logger's commands: each is answered by lines, one after the other. It knows nothing of ports and time.
import type { LoggerMemory } from './logger-memory.ts';
import { type LoggerRecord, recordLine, sentence } from './logger-record.ts';

export interface LoggerCommandContext {
  readonly seed: number;
  readonly memory: LoggerMemory;
  /** The number that the logger shows for a position. */
  readonly shownNumber: (position: number) => number;
  /** The position of a shown number that the memory may hold. */
  readonly positionOf: (shownNumber: number) => number | undefined;
  readonly settings: Map<string, string>;
  readonly setTalking: (talks: boolean) => void;
}

/**
 * READ                  the newest record: $LOG,...
 * DUMP first,last       records by number: $REC,... for each held, then $END,count
 * SPAN from,to          records by time (ISO 8601, both included): the same
 * INFO                  $INF,oldest,newest,its time,its time: by number; or $NONE
 * SET name=value        $OK,name=value
 * TALK ON|OFF           $OK,TALK
 *
 * What it does not understand is answered with $ERR.
 */
export function* answerCommand(command: string, context: LoggerCommandContext): Generator<string> {
  const [word = '', rest = ''] = splitOnce(command.trim(), ' ');
  switch (word.toUpperCase()) {
    case 'READ':
      return yield* read(context);
    case 'DUMP':
      return yield* dumpByNumber(rest, context);
    case 'SPAN':
      return yield* dumpByTime(rest, context);
    case 'INFO':
      return yield info(context);
    case 'SET':
      return yield set(rest, context);
    case 'TALK':
      context.setTalking(rest.toUpperCase() !== 'OFF');
      return yield sentence('$OK,TALK');
    default:
      return yield sentence('$ERR,unknown command');
  }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function* read({ memory, seed, shownNumber }: LoggerCommandContext): Generator<string> {
  const record = memory.at(memory.range.newest);
  yield record ? recordLine('$LOG', seed, record, shownNumber(record.position)) : sentence('$NONE');
}

function* dumpByNumber(range: string, context: LoggerCommandContext): Generator<string> {
  const { memory, positionOf } = context;
  const [first, last] = splitOnce(range, ',').map(Number);
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) {
    yield sentence('$ERR,DUMP first,last');
    return;
  }
  const { oldest, newest } = memory.range;
  const to = positionOf(last!);
  const from = positionOf(first!);
  // A number that it does not hold stands for the nearest end of what it holds.
  yield* dump(memory.records(from ?? oldest, to ?? newest), (n) => isBetween(n, first!, last!), context);
}

/** Also where the numbers start again between first and last. */
function isBetween(number: number, first: number, last: number): boolean {
  return first <= last ? number >= first && number <= last : number >= first || number <= last;
}

function* dumpByTime(range: string, context: LoggerCommandContext): Generator<string> {
  const [from, to] = splitOnce(range, ',').map(Date.parse);
  if (Number.isNaN(from) || Number.isNaN(to)) {
    yield sentence('$ERR,SPAN from,to');
    return;
  }
  const { memory } = context;
  const { oldest, newest } = memory.range;
  const inRange = function* () {
    for (const record of memory.records(oldest, newest))
      if (record.timestamp >= from! && record.timestamp <= to!) yield record;
  };
  yield* dump(inRange(), () => true, context);
}

function* dump(
  records: Iterable<LoggerRecord>,
  isWanted: (shownNumber: number) => boolean,
  { seed, shownNumber }: LoggerCommandContext,
): Generator<string> {
  let count = 0;
  for (const record of records) {
    const number = shownNumber(record.position);
    if (!isWanted(number)) continue;
    count += 1;
    yield recordLine('$REC', seed, record, number);
  }
  yield sentence(`$END,${count}`);
}

function info({ memory, shownNumber }: LoggerCommandContext): string {
  const { oldest, newest } = memory.range;
  const [first, last] = [memory.at(oldest), memory.at(newest)];
  if (!first || !last) return sentence('$NONE');
  const time = ({ timestamp }: LoggerRecord) => new Date(timestamp).toISOString();
  return sentence(`$INF,${shownNumber(oldest)},${shownNumber(newest)},${time(first)},${time(last)}`);
}

function set(setting: string, { settings }: LoggerCommandContext): string {
  const [name, value] = splitOnce(setting, '=');
  const isKnown = settings.has(name);
  if (!isKnown || !/^-?\d+(\.\d+)?$/.test(value)) return sentence('$ERR,SET name=value');
  settings.set(name, value);
  return sentence(`$OK,${name}=${value}`);
}
