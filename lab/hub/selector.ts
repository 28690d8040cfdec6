// The filter that an Event Hubs consumer opens a partition with.
import type { Partition } from './event-log.ts';

const pattern = /^amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time)\s*(>=?)\s*'([^']*)'$/;

/**
 * The sequence number that a consumer starts at: everything from the beginning without a filter.
 * Throws with the reason when the filter cannot be read.
 */
export function startSequence(selector: string | undefined, partition: Partition): number {
  if (selector === undefined) return 0;
  const match = pattern.exec(selector.trim());
  if (!match) throw new Error(`unreadable filter: ${selector}`);
  const [, field, operator, value] = match;
  if (value === '@latest') return partition.nextSequence;
  if (value === '-1') return 0;
  const bound = Number(value);
  if (!Number.isFinite(bound)) throw new Error(`unreadable value in filter: ${selector}`);
  const passes = (position: number) => (operator === '>' ? position > bound : position >= bound);
  if (field === 'offset') return partition.firstSequence((event) => passes(event.offset));
  if (field === 'sequence-number') return partition.firstSequence((event) => passes(event.sequence));
  return partition.firstSequence((event) => passes(event.enqueuedAt));
}

/** The selector's text in a link source's filter map, which may come as a described value. */
export function selectorOf(filter: unknown): string | undefined {
  if (typeof filter !== 'object' || filter === null) return undefined;
  const entry = (filter as Record<string, unknown>)['apache.org:selector-filter:string'];
  let value = entry;
  for (let depth = 0; depth < 4 && typeof value === 'object' && value !== null; depth++)
    value = (value as { value?: unknown }).value;
  return typeof value === 'string' ? value : undefined;
}
