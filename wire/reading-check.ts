// Checks that a reading can be sent. Sources read equipment, so the encoder trusts none of them: a value that is no JSON
// value is refused with the reading's name, and the caller sends a marker instead.
import { HoldfastError } from '../kernel/errors.ts';
import { isIndex } from './index-position.ts';
import { maxBodyNodes, maxQualityLength, maxTagLength, maxValueDepth } from './limits.ts';
import type { Quality, Reading } from './reading.ts';
import type { IndexKind } from './window.ts';

const qualityForm = /^(?:good|(?:uncertain|bad)(?::[a-z0-9][a-z0-9-]*)?)$/;
const shownTagLength = 80;

/** One reading that cannot be sent; `code` is `wire-bad-reading` or `wire-reading-too-large`. */
export class ReadingRefusedError extends HoldfastError {
  readonly reading: Reading;
  /** Its place in the list that was given. */
  readonly at: number;

  constructor(code: string, problem: string, reading: Reading, at: number) {
    super(code, `reading of tag ${showTag(reading.tag)} at index ${showIndex(reading.index)}: ${problem}`);
    this.reading = reading;
    this.at = at;
  }
}

/**
 * What takes the place of a refused reading: no value, and a quality that says why. A tag that is no text or
 * an index that is none stays as it is, and is refused again: only a caller's mistake makes those.
 */
export function refusedMarker(reading: Reading, error: ReadingRefusedError): Reading {
  const quality = error.code === 'wire-reading-too-large' ? 'bad:too-large' : 'bad:not-encodable';
  const { index, tag } = reading;
  return { index, tag: typeof tag === 'string' ? shorten(tag, maxTagLength) : tag, value: null, quality };
}

export function isQuality(quality: unknown): quality is Quality {
  return typeof quality === 'string' && quality.length <= maxQualityLength && qualityForm.test(quality);
}

/** What is wrong with a reading, or undefined. */
export function readingFault(kind: IndexKind, reading: Reading): string | undefined {
  if (typeof reading.tag !== 'string') return 'the tag is no string';
  if (reading.tag.length > maxTagLength) return `the tag is longer than ${maxTagLength}`;
  if (!isIndex(kind, reading.index)) return `the index is no ${kind} index`;
  if (!isQuality(reading.quality)) return 'the quality is not good, uncertain or bad[:cause]';
  return inspectValue(reading.value).fault;
}

export interface ValueFacts {
  readonly fault?: string;
  /** Arrays, objects and their elements; 0 for a scalar. Bounded: see maxBodyNodes. */
  readonly nodes: number;
  /** UTF-16 units of all texts in it, names included. */
  readonly characters: number;
}

const plainScalar: ValueFacts = { nodes: 0, characters: 0 };

/** Whether `value` is a JSON value within the bounds, and how much there is of it. */
export function inspectValue(value: unknown): ValueFacts {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? plainScalar : { ...plainScalar, fault: `the value is ${value}` };
    case 'string':
      return { nodes: 0, characters: value.length };
    case 'boolean':
      return plainScalar;
    case 'object':
      return value === null ? plainScalar : inspectStructure(value);
    default:
      return { ...plainScalar, fault: `the value is of type ${typeof value}` };
  }
}

/** On its own stack: neither depth nor a cycle can exhaust the machine's. */
function inspectStructure(root: object): ValueFacts {
  const pending: { readonly structure: object; readonly depth: number }[] = [{ structure: root, depth: 1 }];
  let nodes = 0;
  let characters = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { structure, depth } = next;
    let fault = structureFault(structure, depth);
    const children: readonly unknown[] = Array.isArray(structure) ? structure : Object.values(structure);
    nodes += 1 + children.length;
    if (nodes > maxBodyNodes) fault ??= `the value has more than ${maxBodyNodes} elements`;
    if (fault !== undefined) return { fault, nodes, characters };
    if (!Array.isArray(structure)) for (const name of Object.keys(structure)) characters += name.length;
    // By position, not forEach: a hole in an array is `undefined`, which is no JSON value.
    for (let i = 0; i < children.length; i++) {
      const child = children[i];
      if (typeof child === 'object' && child !== null) {
        pending.push({ structure: child, depth: depth + 1 });
        continue;
      }
      const facts = inspectValue(child);
      if (facts.fault !== undefined) return { fault: `inside it ${facts.fault}`, nodes, characters };
      characters += facts.characters;
    }
  }
  return { nodes, characters };
}

function structureFault(value: object, depth: number): string | undefined {
  if (depth > maxValueDepth) return `the value is nested deeper than ${maxValueDepth}`;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = Array.isArray(value) || prototype === Object.prototype || prototype === null;
  if (!isPlain) return 'the value is an instance of a class, not plain JSON';
  // JSON.stringify would send what toJSON returns instead of what was read.
  return typeof (value as { toJSON?: unknown }).toJSON === 'function' ? 'the value has a toJSON' : undefined;
}

function showTag(tag: unknown): string {
  return typeof tag === 'string' ? JSON.stringify(shorten(tag, shownTagLength)) : `(a ${typeof tag})`;
}

function showIndex(index: unknown): string {
  return typeof index === 'number' ? String(index) : `(a ${typeof index})`;
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 3)}...` : text;
}
