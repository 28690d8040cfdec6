// Log lines are read by people: times in them are written as text, not as numbers.

/** Names of fields that hold times; the ends of ranges among them. */
const timeNames =
  /^(start|end|from|to|at|since|until|now|before|after|earliest|latest|oldest|newest|[a-z]+At)$/;
const earliestTime = Date.UTC(2000, 0, 1);
const latestTime = Date.UTC(2100, 0, 1);
const maxDepth = 4;

/**
 * Epoch milliseconds as ISO 8601, in fields that name a time: `{start: 1764000000000}` of a range of time. Record numbers, which
 * are far smaller, stay.
 */
export function withReadableTimes(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > maxDepth) return value;
  if (Array.isArray(value)) return value.map((each) => withReadableTimes(each, depth + 1));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      timeNames.test(name) && isTime(inner)
        ? new Date(inner).toISOString()
        : withReadableTimes(inner, depth + 1),
    ]),
  );
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= earliestTime && value < latestTime;
}
