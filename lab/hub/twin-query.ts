// The part of IoT Hub's query language that twins are asked by:
//
//   SELECT * | path [AS name], ..  FROM devices | devices.modules  [WHERE condition]
//
// with comparisons, AND, OR, NOT, IN, IS_DEFINED(path) and STARTSWITH(path, 'text'). Whatever else the language has is
// refused, as an error of syntax is. A comparison with a property that is not there is false, whatever it compares.
// https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-query-language
import type { JsonObject } from '../../wire/twin-rules.ts';

export interface TwinQuery {
  readonly from: 'devices' | 'devices.modules';
  readonly matches: (twin: JsonObject) => boolean;
  /** What is shown of a twin. */
  readonly show: (twin: JsonObject) => JsonObject;
  readonly isWhole: boolean;
}

export class QueryError extends Error {}

type Condition = (twin: JsonObject) => boolean;
type Operand = (twin: JsonObject) => unknown;

interface Token {
  readonly kind: 'word' | 'text' | 'number' | 'sign' | 'end';
  readonly value: string;
}

const shapes =
  /\s*(?:(?<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<number>-?\d+(?:\.\d+)?)|(?<word>[A-Za-z_$][\w$]*(?:\.[\w$]+)*)|(?<sign><=|>=|!=|<>|[=<>(),*[\]]))/y;

export function parseTwinQuery(text: string): TwinQuery {
  return new Parser(tokensOf(text)).query();
}

/** The condition alone, as a deployment's target has it. */
export function parseTwinCondition(text: string): Condition {
  return new Parser(tokensOf(text)).whole();
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const all = text.trimEnd();
  shapes.lastIndex = 0;
  while (shapes.lastIndex < all.length) {
    const at = shapes.lastIndex;
    const groups = shapes.exec(all)?.groups;
    if (groups === undefined) throw new QueryError(`not understood at '${all.slice(at, at + 20)}'`);
    const [kind, value] = Object.entries(groups).find(([, found]) => found !== undefined)!;
    tokens.push({ kind: kind as Token['kind'], value: value! });
  }
  return [...tokens, { kind: 'end', value: 'the end' }];
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  query(): TwinQuery {
    this.#expect('select');
    const shown = this.#takes('*') ? undefined : this.#projection();
    this.#expect('from');
    const from = this.#next().value.toLowerCase();
    if (from !== 'devices' && from !== 'devices.modules')
      throw new QueryError(`FROM must be devices or devices.modules, not ${from}`);
    const matches = this.#takes('where') ? this.whole() : () => true;
    if (this.#peek().kind !== 'end') throw new QueryError(`not understood: ${this.#peek().value}`);
    const show = (twin: JsonObject) =>
      shown === undefined
        ? twin
        : Object.fromEntries(
            shown.map(([name, value]) => [name, value(twin)]).filter(([, value]) => value !== undefined),
          );
    return { from, matches, show, isWhole: shown === undefined };
  }

  whole(): Condition {
    const condition = this.#or();
    if (this.#peek().kind !== 'end') throw new QueryError(`not understood: ${this.#peek().value}`);
    return condition;
  }

  #projection(): readonly (readonly [string, Operand])[] {
    const shown: (readonly [string, Operand])[] = [];
    do {
      const { kind, value } = this.#next();
      if (kind !== 'word') throw new QueryError(`a property must be named, not ${value}`);
      const name = this.#takes('as') ? this.#next().value : value.split('.').at(-1)!;
      shown.push([name, (twin) => valueAt(twin, value)]);
    } while (this.#takes(','));
    return shown;
  }

  #or(): Condition {
    let left = this.#and();
    while (this.#takes('or')) {
      const [first, second] = [left, this.#and()];
      left = (twin) => first(twin) || second(twin);
    }
    return left;
  }

  #and(): Condition {
    let left = this.#not();
    while (this.#takes('and')) {
      const [first, second] = [left, this.#not()];
      left = (twin) => first(twin) && second(twin);
    }
    return left;
  }

  #not(): Condition {
    if (this.#takes('not')) {
      const inner = this.#not();
      return (twin) => !inner(twin);
    }
    if (this.#takes('(')) {
      const inner = this.#or();
      this.#expect(')');
      return inner;
    }
    return this.#comparison();
  }

  #comparison(): Condition {
    const { kind, value } = this.#peek();
    const name = value.toLowerCase();
    if (kind === 'word' && (name === 'is_defined' || name === 'startswith')) {
      this.#next();
      this.#expect('(');
      const what = this.#operand();
      if (name === 'is_defined') {
        this.#expect(')');
        return (twin) => what(twin) !== undefined;
      }
      this.#expect(',');
      const start = this.#operand();
      this.#expect(')');
      return (twin) => {
        const [whole, part] = [what(twin), start(twin)];
        return typeof whole === 'string' && typeof part === 'string' && whole.startsWith(part);
      };
    }
    const left = this.#operand();
    if (this.#takes('in')) return this.#within(left);
    const sign = this.#next().value;
    const compare = comparisons[sign];
    if (compare === undefined) throw new QueryError(`a comparison is missing at ${sign}`);
    const right = this.#operand();
    return (twin) => {
      const [a, b] = [left(twin), right(twin)];
      return a !== undefined && b !== undefined && compare(a, b);
    };
  }

  #within(left: Operand): Condition {
    this.#expect('[');
    const list: Operand[] = [];
    do list.push(this.#operand());
    while (this.#takes(','));
    this.#expect(']');
    return (twin) => list.some((each) => left(twin) === each(twin));
  }

  #operand(): Operand {
    const { kind, value } = this.#next();
    if (kind === 'text') {
      const text = value.slice(1, -1).replace(/\\(.)/g, '$1');
      return () => text;
    }
    if (kind === 'number') return () => Number(value);
    if (kind !== 'word') throw new QueryError(`a property or a value is missing at ${value}`);
    if (/^(true|false)$/i.test(value)) return () => value.toLowerCase() === 'true';
    if (/^null$/i.test(value)) return () => null;
    return (twin) => valueAt(twin, value);
  }

  #peek(): Token {
    return this.#tokens[this.#at]!;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  #takes(what: string): boolean {
    const { kind, value } = this.#peek();
    if ((kind !== 'word' && kind !== 'sign') || value.toLowerCase() !== what) return false;
    this.#at++;
    return true;
  }

  #expect(what: string): void {
    if (!this.#takes(what)) throw new QueryError(`${what.toUpperCase()} is missing at ${this.#peek().value}`);
  }
}

const ordered = (compare: (a: number | string, b: number | string) => boolean) => (a: unknown, b: unknown) =>
  typeof a === typeof b && (typeof a === 'number' || typeof a === 'string') && compare(a, b as typeof a);
const comparisons: Readonly<Record<string, (a: unknown, b: unknown) => boolean>> = {
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<>': (a, b) => a !== b,
  '<': ordered((a, b) => a < b),
  '<=': ordered((a, b) => a <= b),
  '>': ordered((a, b) => a > b),
  '>=': ordered((a, b) => a >= b),
};

/** `devices.deviceId` is `deviceId`. */
function valueAt(twin: JsonObject, path: string): unknown {
  const names = path.split('.');
  if (names[0] === 'devices') names.shift();
  let value: unknown = twin;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as JsonObject)[name];
  }
  return value;
}
