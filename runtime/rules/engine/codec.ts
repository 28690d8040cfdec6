// Values of a rule's state as JSON and back, exactly: dates have a form of their own.
import { type RecordValue, setField, type Value } from '../expressions/values.ts';

/** `{"$date": ms}` for dates; a record with a field that begins with `$` as `{"$record": [[field, value], ..]}`. */
export function encode(value: Value): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Date) return { $date: value.getTime() };
  if (Array.isArray(value)) return value.map(encode);
  const fields = Object.entries(value as RecordValue).filter(([, part]) => part !== undefined);
  if (fields.some(([field]) => field.startsWith('$') || field === '__proto__'))
    return { $record: fields.map(([field, part]) => [field, encode(part)]) };
  return Object.fromEntries(fields.map(([field, part]) => [field, encode(part)]));
}

export function decode(value: unknown): Value {
  if (value === null || typeof value !== 'object') return value as Value;
  if (Array.isArray(value)) return value.map(decode);
  const { $date, $record } = value as { $date?: number; $record?: [string, unknown][] };
  if ($date !== undefined) return new Date($date);
  const record: Record<string, Value> = {};
  for (const [field, part] of $record ?? Object.entries(value)) setField(record, field, decode(part));
  return record;
}
