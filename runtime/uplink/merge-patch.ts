// Twin documents change by merge patches (RFC 7386): objects merge, null removes, all else replaces. The
// library's own merge joins arrays element by element, which makes of [1] laid over [1, 2, 3] no [1].

export type TwinObject = Readonly<Record<string, unknown>>;

/** What `patch` makes of `document`: null members are removed. Neither argument changes. */
export function applyPatch(document: TwinObject, patch: TwinObject): TwinObject {
  return merge(document, patch, true);
}

/**
 * One patch that does what `first`, then `second` would do: null members stay. Exact if `canJoin`.
 */
export function joinPatches(first: TwinObject, second: TwinObject): TwinObject {
  return merge(first, second, false);
}

/**
 * False where no one patch can do what the two do: `first` puts a value or null in a place where `second`
 * puts an object. A single patch would merge that object into what was there before both.
 */
export function canJoin(first: TwinObject, second: TwinObject): boolean {
  return Object.entries(second).every(([name, value]) => {
    if (!isObject(value) || !Object.hasOwn(first, name)) return true;
    const before = first[name];
    return isObject(before) && canJoin(before, value);
  });
}

function merge(base: TwinObject, patch: TwinObject, dropNulls: boolean): TwinObject {
  // No prototype: member names come from outside.
  const merged: Record<string, unknown> = Object.assign(Object.create(null), base);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null && dropNulls) delete merged[name];
    else if (!isObject(value)) merged[name] = value;
    else {
      const old = merged[name];
      merged[name] = merge(isObject(old) ? old : {}, value, dropNulls);
    }
  }
  return { ...merged };
}

function isObject(value: unknown): value is TwinObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
