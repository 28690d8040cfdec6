// Makes parameters of statements storable in PostgreSQL, whose text can hold neither NUL nor half a surrogate pair. The
// drivers of both engines pass their parameters through here. A parameter that the database refuses could block everything
// that comes after it.

/** A parameter with each NUL, and each half of a character, as U+FFFD; arrays of text too. */
export function storable(param: unknown): unknown {
  if (typeof param === 'string') return storableText(param);
  if (Array.isArray(param) && param.some((item) => typeof item === 'string' && !isStorable(item))) {
    return param.map((item) => (typeof item === 'string' ? storableText(item) : item));
  }
  return param;
}

export const isStorable = (text: string) => !text.includes('\0') && text.isWellFormed();

/** Text that is compared or grouped before it is stored passes through here first: two may become one. */
export const storableText = (text: string) =>
  isStorable(text) ? text : text.replaceAll('\0', '\ufffd').toWellFormed();
