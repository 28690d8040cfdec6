/**
 * The beginning of `text`, `most` UTF-16 units at most, and always text that every encoding can hold: no character is
 * cut in two, and half of one that was there already becomes U+FFFD.
 */
export function cutText(text: string, most: number): string {
  if (text.length <= most) return text.toWellFormed();
  const isInsidePair = isHigh(text.charCodeAt(most - 1)) && isLow(text.charCodeAt(most));
  return text.slice(0, isInsidePair ? most - 1 : most).toWellFormed();
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number) => unit >= 0xdc00 && unit < 0xe000;
