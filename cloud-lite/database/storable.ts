// What a statement is given, in a form that PostgreSQL takes: its text holds neither NUL nor half a character, and both
// engines' drivers pass their parameters through here. What of it is refused could block whatever comes after it.

/** A parameter with each NUL, and each half of a character, as U+FFFD; arrays of text too. */
export function storable(param: unknown): unknown {
  if (typeof param === 'string') return storableText(param);
  if (Array.isArray(param) && param.some((item) => typeof item === 'string' && !isStorable(item))) {
    return param.map((item) => (typeof item === 'string' ? storableText(item) : item));
  }
  return param;
}

export const isStorable = (text: string) => !text.includes('\0') && text.isWellFormed();

const storableText = (text: string) =>
  isStorable(text) ? text : text.replaceAll('\0', '\ufffd').toWellFormed();
