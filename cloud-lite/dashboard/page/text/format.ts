// Formats figures and times for people. Pure: the time zone is a parameter, so that tests know what to expect.
import type { IndexKind } from '../../../../wire/window.ts';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const countText = (n: number): string => (n < 100_000 ? whole.format(n) : short.format(n));

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${countText(n)} ${n === 1 ? one : many}`;
}

/** `99.98 %`: cut, never rounded up, so that 100 % means all of it. */
export function shareText(share: number | null): string {
  if (share === null) return '–';
  if (share >= 1) return '100 %';
  const digits = share < 0.9 ? 1 : 2;
  const cut = Math.floor(share * 100 * 10 ** digits) / 10 ** digits;
  return `${cut.toFixed(digits)} %`;
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** `850 ms`, `4.2 s`, `12 min 5 s`, `3 d 4 h`: two units at most. */
export function durationText(ms: number): string {
  const length = Math.max(0, ms);
  if (length < 1000) return `${Math.round(length)} ms`;
  if (length < 60_000) return `${trim((length / 1000).toFixed(1))} s`;
  const first = units.findIndex(([, size]) => length >= size);
  const [name, size] = units[first]!;
  const second = units[first + 1];
  const rest = second ? Math.floor((length % size) / second[1]) : 0;
  const head = `${Math.floor(length / size)} ${name}`;
  return second && rest > 0 ? `${head} ${rest} ${second[0]}` : head;
}

/** `now`, `12 s ago`, `3 h ago`: one unit, so that it changes seldom. */
export function agoText(ms: number): string {
  return ms < 2000 ? 'now' : `${ageText(ms)} ago`;
}

export function ageText(ms: number): string {
  const [name, size] = units.find(([, unit]) => ms >= unit) ?? units[3];
  return `${Math.max(0, Math.floor(ms / size))} ${name}`;
}

const trim = (text: string) => text.replace(/\.0$/, '');

export interface TimeStyle {
  readonly zone: string;
  readonly date?: boolean;
  readonly ms?: boolean;
}

/** `2026-11-21 22:20:00.000`, the date and the milliseconds only where asked for. */
export function timeText(epochMs: number, { zone, date = false, ms = false }: TimeStyle): string {
  const parts = partsOf(epochMs, zone);
  const time = `${parts.hour}:${parts.minute}:${parts.second}`;
  const fraction = ms ? `.${String(((epochMs % 1000) + 1000) % 1000).padStart(3, '0')}` : '';
  return `${date ? `${parts.year}-${parts.month}-${parts.day} ` : ''}${time}${fraction}`;
}

/** A time with its date when that is not today's. */
export function momentText(epochMs: number, now: number, zone: string): string {
  const day = (at: number) => timeText(at, { zone, date: true }).slice(0, 10);
  return timeText(epochMs, { zone, date: day(epochMs) !== day(now) });
}

const formats = new Map<string, Intl.DateTimeFormat>();

function partsOf(epochMs: number, zone: string): Record<string, string> {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    });
    formats.set(zone, format);
  }
  return Object.fromEntries(format.formatToParts(epochMs).map(({ type, value }) => [type, value]));
}

/** The length of a range: time, or records. */
export function lengthText(index: IndexKind, length: number): string {
  return index === 'time' ? durationText(length) : plural(length, 'record');
}

/** Both bounds of `[start, end)`: the second one's date only when it differs, milliseconds only where there are any. */
export function rangeText(index: IndexKind, start: number, end: number, zone: string): string {
  if (index === 'sequence') return `${whole.format(start)} – ${whole.format(end)}`;
  const ms = start % 1000 !== 0 || end % 1000 !== 0;
  const [from, to] = [start, end].map((at) => timeText(at, { zone, date: true, ms }));
  const sameDay = from!.slice(0, 10) === to!.slice(0, 10);
  return `${from} – ${sameDay ? to!.slice(11) : to}`;
}

export function positionText(index: IndexKind, position: number, zone: string): string {
  return index === 'time' ? timeText(position, { zone, date: true, ms: true }) : whole.format(position);
}

/** `accepted` as a sentence has it: codes of the ledger in plain words. */
export function wordsOf(code: string): string {
  return code.replaceAll('-', ' ');
}

/** UTC under any of its names. */
export function isUtc(zone: string): boolean {
  return /^(?:Etc\/)?(?:UTC|UCT|GMT|Zulu|Universal|Greenwich)$/.test(zone);
}

/** A device's module as one name; a device may send by itself. */
export function originText(deviceId: string, moduleId: string): string {
  return moduleId === '' ? deviceId : `${deviceId} / ${moduleId}`;
}
