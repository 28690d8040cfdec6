// Removes file contents from the problems of a file that was named remotely: only paths and words that the schema knows and positions
// remain. The file may hold a key, which must reach neither a status page nor a twin.
//
// What the schema says by itself repeats nothing of the file. Any other message may: a name that is taken, a source that is not there,
// a query's own error. So in those each word that stands in the file is hidden, and all that stands between quotation marks.
import { configJsonSchema } from './json-schema.ts';
import type { PlaceOf, Problem } from './problem-text.ts';
import { formatPath, type RawProblem } from './problems.ts';

const hidden = '(…)';
const word = /[\p{L}\p{N}_$@%+=./-]+/gu;
const quoted = /(?<=^|[\s(])(['"`])(?:(?!\1).)*\1/gu;

export class Quiet {
  /** Each in a line of its own. */
  readonly #words: string;

  /** `values`: what was read of the files. */
  constructor(values: readonly unknown[]) {
    const words = new Set<string>();
    for (const value of values) addWords(value, words);
    this.#words = `\n${[...words].join('\n')}`;
  }

  problem({ path, message, isOfSchema }: RawProblem, placeOf: PlaceOf | undefined): Problem {
    const place = placeOf?.(path);
    const text = isOfSchema === true ? message : this.text(message);
    return { path: formatPath(path.map(known)), message: text, ...(place && { place }) };
  }

  /** The same for a problem whose text is complete. */
  said({ path, message, place }: Problem): Problem {
    return { path: this.text(path), message: this.text(message), ...(place && { place }) };
  }

  text(message: string): string {
    return message
      .replace(quoted, (text) => (isKnown(text.slice(1, -1)) ? text : hidden))
      .replace(word, (text) =>
        // The word may end the sentence.
        this.#isInFile(text) || this.#isInFile(text.replace(/[.=/-]+$/, '')) ? hidden : text,
      );
  }

  /** Words of one and two letters tell nothing. A message may have cut a word short. */
  #isInFile(text: string): boolean {
    return text.length > 2 && !isKnown(text) && this.#words.includes(`\n${text}`);
  }
}

function addWords(value: unknown, words: Set<string>): void {
  if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      addWords(key, words);
      addWords(inner, words);
    }
  } else for (const [found] of String(value).matchAll(word)) words.add(found);
}

const known = (part: PropertyKey): PropertyKey =>
  typeof part === 'number' || isKnown(String(part)) ? part : hidden;

const isKnown = (text: string): boolean => knownWords().has(text);

let words: ReadonlySet<string> | undefined;

/** Every setting that the schema has, wherever it stands, and every choice. */
function knownWords(): ReadonlySet<string> {
  if (words !== undefined) return words;
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { properties, enum: choices, const: only } = value as Record<string, unknown>;
    if (typeof properties === 'object' && properties !== null) {
      for (const name of Object.keys(properties)) found.add(name);
    }
    for (const choice of [...(Array.isArray(choices) ? choices : []), only])
      if (typeof choice === 'string') found.add(choice);
    for (const inner of Object.values(value)) visit(inner);
  };
  visit(configJsonSchema());
  words = found;
  return found;
}
