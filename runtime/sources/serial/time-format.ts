// Times as instruments write them, read and written by a format of tokens: YYYY or YY, MM, DD, HH, mm, ss, and S to
// SSS for fractions; `iso`, `unix-s` and `unix-ms` are formats of their own. What is no token stands for itself.
import { tryParseIndex } from '../../../wire/index-position.ts';

export interface TimeFormat {
  /** Epoch ms, rounded down; undefined for what is no time of this format. */
  parse(text: string): number | undefined;
  /** Rounded down to what the format can show. */
  format(epochMs: number): string;
  /** The smallest step that it can show. */
  readonly stepMs: number;
}

export type CompiledFormat =
  | { readonly ok: true; readonly format: TimeFormat }
  | { readonly ok: false; readonly problem: string };

const minuteMs = 60_000;
const tokens = /YYYY|YY|MM|DD|HH|mm|ss|S{1,3}/g;
const widths: Readonly<Record<string, number>> = { YYYY: 4, YY: 2, MM: 2, DD: 2, HH: 2, mm: 2, ss: 2 };

/** `offsetMinutes`: how far the instrument's clock is ahead of UTC. */
export function compileTimeFormat(text: string, offsetMinutes: number): CompiledFormat {
  if (text === 'unix-s') return { ok: true, format: unix(1000) };
  if (text === 'unix-ms') return { ok: true, format: unix(1) };
  if (text === 'iso') return { ok: true, format: iso(offsetMinutes) };
  const parts = partsOf(text);
  const found = new Set(parts.flatMap((part) => (part.token === undefined ? [] : [part.token[0]!])));
  for (const [letter, token] of [
    ['Y', 'YYYY (or YY)'],
    ['M', 'MM'],
    ['D', 'DD'],
    ['H', 'HH'],
    ['m', 'mm'],
  ] as const) {
    if (!found.has(letter))
      return {
        ok: false,
        problem: `has no ${token}: a time needs YYYY, MM, DD, HH and mm, or is iso, unix-s or unix-ms`,
      };
  }
  return { ok: true, format: byTokens(parts, offsetMinutes) };
}

interface Part {
  readonly token?: string;
  readonly width: number;
  readonly text: string;
}

function partsOf(text: string): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of text.matchAll(tokens)) {
    if (match.index > at) parts.push(literal(text.slice(at, match.index)));
    const token = match[0];
    parts.push({ token, width: widths[token] ?? token.length, text: token });
    at = match.index + token.length;
  }
  if (at < text.length) parts.push(literal(text.slice(at)));
  return parts;
}

function literal(text: string): Part {
  return { width: text.length, text };
}

function unix(unitMs: number): TimeFormat {
  return {
    stepMs: unitMs,
    parse(text) {
      const trimmed = text.trim();
      if (!/^\d{1,15}(\.\d{1,9})?$/.test(trimmed)) return undefined;
      return inRange(Math.floor(Number(trimmed) * unitMs));
    },
    format: (epochMs) => String(Math.floor(epochMs / unitMs)),
  };
}

function iso(offsetMinutes: number): TimeFormat {
  const hasZone = /(?:[zZ]|[+-]\d\d:?\d\d)$/;
  return {
    stepMs: 1,
    parse(text) {
      const trimmed = text.trim();
      if (!trimmed.includes('-')) return undefined;
      const ms = tryParseIndex('time', trimmed);
      if (ms === undefined) return undefined;
      return inRange(hasZone.test(trimmed) ? ms : ms - offsetMinutes * minuteMs);
    },
    format: (epochMs) => {
      const local = new Date(epochMs + offsetMinutes * minuteMs).toISOString();
      return offsetMinutes === 0 ? local : local.slice(0, -1);
    },
  };
}

function byTokens(parts: readonly Part[], offsetMinutes: number): TimeFormat {
  const fraction = parts.find(({ token }) => token?.startsWith('S'));
  const hasSeconds = parts.some(({ token }) => token === 'ss');
  const stepMs = fraction ? 10 ** (3 - fraction.width) : hasSeconds ? 1000 : minuteMs;
  return {
    stepMs,
    parse(text) {
      // Blanks before may be a part of it, as in ` 9.03.2026`, or not.
      const fields = readParts(parts, text.trimEnd()) ?? readParts(parts, text.trim());
      const local = fields && toUtcMs(fields);
      return local === undefined ? undefined : inRange(local - offsetMinutes * minuteMs);
    },
    format(epochMs) {
      const time = new Date(epochMs + offsetMinutes * minuteMs);
      return parts.map((part) => writePart(part, time)).join('');
    },
  };
}

type Fields = Readonly<Record<string, number>>;

/** By the first letter of the token. Digits may be left out where a blank stands for them, as in ` 7:05`. */
function readParts(parts: readonly Part[], text: string): Fields | undefined {
  const fields: Record<string, number> = {};
  let at = 0;
  for (const { token, width, text: wanted } of parts) {
    const piece = text.slice(at, at + width);
    at += width;
    if (token === undefined) {
      if (piece !== wanted) return undefined;
      continue;
    }
    if (piece.length !== width || !/^ *\d+$/.test(piece)) return undefined;
    const value = Number(piece);
    if (token === 'YY') fields.Y = value < 70 ? 2000 + value : 1900 + value;
    else if (token.startsWith('S')) fields.S = value * 10 ** (3 - width);
    else fields[token[0]!] = value;
  }
  return at === text.length ? fields : undefined;
}

function toUtcMs({ Y, M, D, H, m, s = 0, S = 0 }: Fields): number | undefined {
  // Exactly these fields, or no time: JavaScript would take 31 February for a day in March.
  const ms = Date.UTC(Y!, M! - 1, D!, H!, m!, s, S);
  const back = new Date(ms);
  if (Number.isNaN(ms) || M! < 1 || H! > 23 || m! > 59 || s > 59) return undefined;
  return back.getUTCMonth() === M! - 1 && back.getUTCDate() === D! ? ms : undefined;
}

function writePart({ token, width, text }: Part, time: Date): string {
  const pad = (value: number) => String(value).padStart(width, '0').slice(-width);
  switch (token?.[0]) {
    case undefined:
      return text;
    case 'Y':
      return pad(time.getUTCFullYear());
    case 'M':
      return pad(time.getUTCMonth() + 1);
    case 'D':
      return pad(time.getUTCDate());
    case 'H':
      return pad(time.getUTCHours());
    case 'm':
      return pad(time.getUTCMinutes());
    case 's':
      return pad(time.getUTCSeconds());
    default:
      return String(time.getUTCMilliseconds()).padStart(3, '0').slice(0, width);
  }
}

/** The latest time that ISO 8601 text with four digits for the year can hold. */
const maxEpochMs = 253_402_300_799_999;

/** A running clock shows neither zero nor the year 10000. */
function inRange(ms: number): number | undefined {
  return ms > 0 && ms <= maxEpochMs ? ms : undefined;
}
