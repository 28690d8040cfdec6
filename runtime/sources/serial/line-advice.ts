// Guesses why received bytes formed no message: wrong line settings, or another framing. Pure.
import { showBytes } from './escapes.ts';

/** Fewer than these look like anything. */
const minBytes = 8;
const maxShown = 60;

/** Who sets speed and parity of the line. */
export interface LineKind {
  readonly setBy: 'port' | 'server';
  /** The framing of its messages, as it is written here in advice; absent where it is another. */
  readonly framing?: string | undefined;
}

/** The bytes for people, and what would fit them; `''` where there are none. */
export function lookOf(bytes: Uint8Array, kind: LineKind): string {
  if (bytes.length === 0) return '';
  return `${showBytes(bytes, maxShown)}${adviceFor(bytes, kind)}`;
}

/** The same, of bytes between messages that are read: another framing would not help. */
export function lookBetween(bytes: Uint8Array, kind: LineKind): string {
  const settings = bytes.length < minBytes ? undefined : settingsFor(bytes, kind);
  return `${showBytes(bytes, maxShown)}${settings === undefined ? '' : ` (${settings})`}`;
}

function adviceFor(bytes: Uint8Array, kind: LineKind): string {
  if (bytes.length < minBytes) return '';
  const settings = settingsFor(bytes, kind);
  if (settings !== undefined) return ` (${settings})`;
  const fitting = framingFor(Buffer.from(bytes).toString('latin1'));
  if (fitting === undefined) return '';
  // To write what is written already would not help.
  const { framing, why } = fitting;
  return framing === kind.framing ? '' : ` (${why}framing that fits: ${framing})`;
}

/** The eighth bit is the parity of the other seven, or there are no characters among them at all. */
function settingsFor(bytes: Uint8Array, kind: LineKind): string | undefined {
  if (isTelnet(bytes))
    return `that is Telnet: ${kind.setBy === 'port' ? 'is it the right port?' : 'set the serial server to raw TCP'}`;
  const high = bytes.filter((byte) => byte > 0x7f).length;
  if (high === 0) return undefined;
  const isText = bytes.every((byte) => isCharacter(byte & 0x7f));
  if (isText && bytes.every((byte) => ones(byte) % 2 === 0)) return seven('even', kind);
  if (isText && bytes.every((byte) => ones(byte) % 2 === 1)) return seven('odd', kind);
  if (isText && high === bytes.length)
    return `each byte has its highest bit set: ${toSet(kind, 'dataBits: 7', '7 data bits')}`;
  const strange = bytes.filter((byte) => !isCharacter(byte)).length;
  return strange * 3 > bytes.length
    ? `that is no text: is ${kind.setBy === 'port' ? 'baudRate' : 'the speed of the serial server'} right, or is the protocol a binary one?`
    : undefined;
}

function seven(parity: string, kind: LineKind): string {
  const what = toSet(kind, `dataBits: 7 and parity: ${parity}`, `7 data bits and ${parity} parity`);
  return `the highest bit of each byte is the ${parity} parity of the others: ${what}`;
}

function toSet(kind: LineKind, settings: string, words: string): string {
  return kind.setBy === 'port' ? `set ${settings}` : `set the serial server to ${words}`;
}

function isCharacter(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0 || (byte >= 2 && byte <= 6) || (byte >= 9 && byte <= 13);
}

function ones(byte: number): number {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}

/** IAC with WILL, WONT, DO or DONT (RFC 854). */
function isTelnet(bytes: Uint8Array): boolean {
  return bytes.some((byte, at) => byte === 0xff && bytes[at + 1]! >= 0xfb && bytes[at + 1]! <= 0xfe);
}

export function delimiterFraming(end: string): string {
  return `{kind: delimiter, end: '${end}'}`;
}

export const startEndFraming = '{kind: start-end}';

function framingFor(text: string): { readonly why: string; readonly framing: string } | undefined {
  const [stx, etx] = ['\x02', '\x03'];
  if (text.includes(stx) && text.includes(etx)) return { why: '', framing: startEndFraming };
  for (const [end, shown] of [
    ['\r\n', '\\r\\n'],
    ['\n', '\\n'],
    ['\r', '\\r'],
  ] as const)
    if (text.includes(end)) return { why: `lines end with ${shown}: `, framing: delimiterFraming(shown) };
  return undefined;
}
