// Status codes as qualities. OPC 10000-4, 7.38.1: the two highest bits are the severity, the lower half holds
// flags that say something about how the value came, not what it is worth.
import type { Quality } from '../../../wire/reading.ts';
import type { WireStatus } from './opcua-session.ts';

const maxCause = 50;
/** By code without flags: bounded by how many codes there are. */
const known = new Map<number, Quality>([[0, 'good']]);
const maxKnown = 1000;

export function qualityOf(status: WireStatus): Quality {
  const code = (status.value & 0xffff_0000) >>> 0;
  const found = known.get(code);
  if (found !== undefined) return found;
  const quality = describe(code, status.name);
  if (known.size < maxKnown) known.set(code, quality);
  return quality;
}

/** More values came between two messages than the server's queue holds: those before this one are lost. */
export function hasOverflow({ value }: WireStatus): boolean {
  // InfoType DataValue (bits 10 and 11 are 01), overflow (bit 7).
  return (value & 0x0c80) === 0x0480;
}

/** Bad, of no kind. */
export const badStatus = 0x8000_0000;

export function isBad({ value }: WireStatus): boolean {
  return value >>> 31 === 1;
}

export function isGood({ value }: WireStatus): boolean {
  return value >>> 30 === 0;
}

/** GoodClamped: the server took another value than the one that it was given. */
export function isClamped({ value }: WireStatus): boolean {
  return (value & 0xffff_0000) >>> 0 === 0x0030_0000;
}

/** As a cause in a quality: `BadNodeIdUnknown` becomes `node-id-unknown`. */
export function causeOf(name: string): string {
  const plain = name.replace(/#.*$/s, '').replace(/^(?:Good|Bad|Uncertain)/, '');
  return plain
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, maxCause);
}

function describe(code: number, name: string): Quality {
  const severity = code >>> 30;
  // Good with a remark (clamped, local override) is good: the server vouches for it.
  if (severity === 0) return 'good';
  const cause = causeOf(name) || `status-${code.toString(16)}`;
  const isPlain = code === 0x8000_0000 || code === 0x4000_0000;
  if (severity === 1) return isPlain ? 'uncertain' : `uncertain:${cause}`;
  return isPlain ? 'bad' : `bad:${cause}`;
}
