// What IoT Hub refuses in a twin, as pure functions.
// Source: Microsoft's "Understand and use device twins in IoT Hub", sections "Device twin size" and "Tags and properties
// format"; that nulls may not stand in arrays is what the hub answers.

export type JsonObject = { [name: string]: unknown };

/** Bytes of each section, by IoT Hub's own way of counting. */
export const maxTwinBytes = { tags: 8 * 1024, desired: 32 * 1024, reported: 32 * 1024 } as const;
export const maxTwinDepth = 10;
export const maxTwinNameBytes = 1024;
export const maxTwinTextBytes = 4096;
export const twinIntegers = { least: -4503599627370496, most: 4503599627370495 } as const;

/** From here on JSON writes a number with an exponent, which is no integer there. */
const leastWithExponent = 1e21;

export type TwinSection = keyof typeof maxTwinBytes;

export interface TwinProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What is wrong with a patch, whatever it is merged into. @throws Error with the first reason */
export function checkTwinPatch(patch: JsonObject): void {
  const [first] = twinPatchProblems(patch);
  if (first !== undefined) throw new Error(first.message);
}

/** All that is wrong with a patch, with its places. */
export function twinPatchProblems(patch: JsonObject): readonly TwinProblem[] {
  const problems: TwinProblem[] = [];
  checkObject(patch, [], {
    depth: 1,
    isInArray: false,
    say: (path, message) => problems.push({ path, message }),
  });
  return problems;
}

/** @throws Error with the reason */
export function checkTwinSize(section: TwinSection, whole: JsonObject): void {
  const bytes = twinBytes(whole);
  if (bytes <= maxTwinBytes[section]) return;
  throw new Error(`${section} has ${bytes} bytes, the limit is ${maxTwinBytes[section]}`);
}

/** How many bytes of its section's limit it takes. */
export const twinBytes = (whole: JsonObject): number => sizeOf(whole);

type Path = TwinProblem['path'];

interface Looked {
  readonly depth: number;
  readonly isInArray: boolean;
  readonly say: (path: Path, message: string) => void;
}

function checkObject(value: JsonObject, path: Path, { depth, isInArray, say }: Looked): void {
  if (depth > maxTwinDepth) {
    say(path, `properties are nested deeper than ${maxTwinDepth}`);
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    const at = [...path, name];
    const wrong = nameProblem(name);
    if (wrong !== undefined) say(at, wrong);
    checkValue(name, inner, at, { depth: depth + 1, isInArray, say });
  }
}

function nameProblem(name: string): string | undefined {
  if (Buffer.byteLength(name) > maxTwinNameBytes) return 'a property name is longer than 1 KB: rename it';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is forbidden.
  if (/[.$ \x00-\x1f\x7f-\x9f]/.test(name.replace(/^\$(version|metadata)$/, '')))
    return `the property name ${JSON.stringify(name)} holds a dot, a dollar sign, a space or a control character: rename it`;
  return undefined;
}

/** A null removes a property. In an array, and in what stands in one, there is nothing to remove. */
function checkValue(name: string, value: unknown, path: Path, looked: Looked): void {
  const { say } = looked;
  const where = `the value of ${JSON.stringify(name)}`;
  if (value === null) {
    if (looked.isInArray) say(path, `${where} holds a null in an array: remove it`);
  } else if (Array.isArray(value)) {
    for (const [at, each] of value.entries())
      checkValue(name, each, [...path, at], { ...looked, isInArray: true });
  } else if (typeof value === 'object') checkObject(value as JsonObject, path, looked);
  else if (typeof value === 'string') {
    if (Buffer.byteLength(value) > maxTwinTextBytes) say(path, `${where} is text of more than 4 KB`);
  } else if (Number.isInteger(value) && Math.abs(value as number) < leastWithExponent) {
    const { least, most } = twinIntegers;
    if ((value as number) < least || (value as number) > most)
      say(path, `${where} is an integer beyond ${least} to ${most}`);
  }
}

/** Names and text count their characters but for control characters, numbers 8 and booleans 4 bytes. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return textBytes(value);
  if (typeof value === 'number') return 8;
  if (typeof value === 'boolean') return 4;
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + sizeOf(each), 0);
  if (typeof value !== 'object' || value === null) return 0;
  return Object.entries(value).reduce((sum, [name, inner]) => sum + textBytes(name) + sizeOf(inner), 0);
}

function textBytes(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what does not count.
  return Buffer.byteLength(text.replace(/[\x00-\x1f\x7f-\x9f]/g, ''));
}
