// Bytes as a configuration writes them: text, with escapes for what cannot be typed. Manuals write `<STX>`, programs
// `\x02`; both are understood, and so is a control character itself, as YAML's double quotes make it.

const controlNames =
  'NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(
    ' ',
  );

const named: ReadonlyMap<string, number> = new Map([
  ...controlNames.map((name, code): [string, number] => [name, code]),
  ['TAB', 9],
  ['DEL', 127],
]);

const letters: Readonly<Record<string, number>> = { r: 13, n: 10, t: 9, 0: 0, e: 27, '\\': 92, '<': 60 };

export type Unescaped =
  | { readonly ok: true; readonly bytes: Buffer }
  /** `problem` says what would be right. */
  | { readonly ok: false; readonly problem: string };

/** One escape (`\r`, `\x02`, `<STX>`), or one character. Linear: none of the alternatives overlap. */
const piece = /\\x([0-9a-fA-F]{2})|\\([rnt0e\\<])|<([A-Z0-9]{2,3})>|([\s\S])/gy;

/** Text to bytes, a character a byte (Latin-1). */
export function unescapeBytes(text: string): Unescaped {
  const bytes: number[] = [];
  for (const { index, 0: all, 1: hex, 2: letter, 3: name, 4: plain } of text.matchAll(piece)) {
    const cutOff =
      all === '<' ? /^<([A-Z0-9]{2,3})(?![A-Z0-9>])/.exec(text.slice(index, index + 5))?.[1] : undefined;
    if (cutOff !== undefined && named.has(cutOff))
      return refuse(`has <${cutOff} without its >: write <${cutOff}>, or \\< for the character itself`);
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (letter !== undefined) bytes.push(letters[letter]!);
    else if (name !== undefined) {
      const code = named.get(name);
      if (code === undefined) bytes.push(...Buffer.from(`<${name}>`, 'latin1'));
      else bytes.push(code);
    } else if (plain === '\\') {
      return refuse(
        'has a backslash that begins no escape: write \\r \\n \\t \\0 \\e \\xHH, or \\\\ for itself',
      );
    } else if (plain!.charCodeAt(0) > 255) {
      return refuse(`has '${plain}', which is no single byte: write its bytes as \\xHH`);
    } else {
      bytes.push(plain!.charCodeAt(0));
    }
  }
  return { ok: true, bytes: Buffer.from(bytes) };
}

/** The bytes of text that the schema has checked. */
export function toBytes(text: string): Buffer {
  const result = unescapeBytes(text);
  if (!result.ok) throw new Error(`'${text}' ${result.problem}`);
  return result.bytes;
}

/** Bytes for people: control characters by their names in manuals. At most `limit` of them. */
export function showBytes(bytes: Uint8Array, limit = 60): string {
  let text = '';
  for (const byte of bytes.subarray(0, limit)) {
    if (byte < 32) text += `<${controlNames[byte]}>`;
    else if (byte < 127) text += String.fromCharCode(byte);
    else text += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return bytes.length > limit ? `${text}...` : text;
}

function refuse(problem: string): Unescaped {
  return { ok: false, problem };
}
