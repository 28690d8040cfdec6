/**
 * The beginning of `text`, `most` UTF-16 units at most, and always text that every encoding can hold: no character is
 * cut in two, and half of one that was there already becomes U+FFFD.
 */
export function cutText(text: string, most: number): string {
  if (text.length <= most) return text.toWellFormed();
  const isInsidePair = isHigh(text.charCodeAt(most - 1)) && isLow(text.charCodeAt(most));
  return text.slice(0, isInsidePair ? most - 1 : most).toWellFormed();
}

// Control characters (C0, DEL, C1), line and paragraph separators, and what changes the direction in which text is shown.
const steering =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is taken out.
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text from elsewhere (names, messages, values) on one line, without what steers a terminal or shows it as another text. */
export function plainLine(text: string, instead: string | ((character: string) => string) = ' '): string {
  return text.replace(steering, typeof instead === 'string' ? () => instead : instead);
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number) => unit >= 0xdc00 && unit < 0xe000;
