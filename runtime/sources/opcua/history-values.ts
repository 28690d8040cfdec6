// Values of a server's history: their times, and whether two are the same value. Pure.
import type { WireValue } from './opcua-session.ts';
import { decode } from './values.ts';

/** OPC 10000-6, 5.2.2.5: earlier dates stand for none. */
const earliest = Date.UTC(1601, 0, 2);

/** Epoch ms; undefined where the server says neither time. Servers that keep one of the two order by that. */
export function stampOf({ sourceTimestamp, serverTimestamp }: WireValue): number | undefined {
  return timeOf(sourceTimestamp) ?? timeOf(serverTimestamp);
}

function timeOf(date: Date | null): number | undefined {
  const time = date?.getTime();
  return time === undefined || Number.isNaN(time) || time < earliest ? undefined : time;
}

/** OPC 10000-11, 6.5.3.2: stands for a bounding value that is not there, at the time that was asked for. */
export function isBound({ statusCode }: WireValue): boolean {
  return statusCode.name.startsWith('BadBoundNot');
}

export function isSame(a: WireValue, b: WireValue): boolean {
  return (
    stampOf(a) === stampOf(b) &&
    (a.sourcePicoseconds ?? 0) === (b.sourcePicoseconds ?? 0) &&
    a.statusCode.value === b.statusCode.value &&
    isSameContent(a, b)
  );
}

/** Whatever their times and statuses. */
export function isSameContent({ value: a }: WireValue, { value: b }: WireValue): boolean {
  if (typeof a?.value === 'number' && a.value === b?.value) return true;
  return a?.dataType === b?.dataType && JSON.stringify(decode(a)) === JSON.stringify(decode(b));
}
