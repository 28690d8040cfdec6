// Validates the fields of untrusted records: every bad field is reported, not only the first.

/** One bad field, for people: `problem` completes the sentence "<field> is ...". */
export interface FieldError {
  readonly field: string;
  readonly problem: string;
}

export class FieldReader {
  readonly errors: FieldError[] = [];
  readonly #record: Readonly<Record<string, unknown>>;

  constructor(record: Readonly<Record<string, unknown>>) {
    this.#record = record;
  }

  /** Own fields only: `constructor` and `__proto__` are names like others. */
  has(name: string): boolean {
    return (
      Object.hasOwn(this.#record, name) && this.#record[name] !== undefined && this.#record[name] !== null
    );
  }

  report(field: string, problem: string): void {
    this.errors.push({ field, problem });
  }

  /** Reports all others: a misspelt condition would be none. */
  only(names: readonly string[]): void {
    const known = `no field of this method; it has: ${names.join(', ')}`;
    for (const name of Object.keys(this.#record)) if (!names.includes(name)) this.report(name, known);
  }

  /** Reports those that are there as `null`, where that does not mean the same as leaving them out. */
  notNull(names: readonly string[]): void {
    for (const name of names)
      if (Object.hasOwn(this.#record, name) && this.#record[name] === null)
        this.report(name, 'null: leave it out, or give a value');
  }

  /** The first of `names` that is present, as `read` gives it; undefined from `read` means it breaks `rule`. */
  optional<T>(
    names: readonly string[],
    read: (value: unknown) => T | undefined,
    rule: string,
  ): T | undefined {
    const name = names.find((candidate) => this.has(candidate));
    if (name === undefined) return undefined;
    const value = read(this.#record[name]);
    if (value === undefined) this.report(name, rule);
    return value;
  }

  required<T>(
    names: readonly string[],
    read: (value: unknown) => T | undefined,
    rule: string,
  ): T | undefined {
    if (!names.some((name) => this.has(name))) this.report(names[0]!, 'missing');
    return this.optional(names, read, rule);
  }
}

/** The payload of a method as a record; undefined for what is none. */
export function asRecord(payload: unknown): Readonly<Record<string, unknown>> | undefined {
  const isRecord = typeof payload === 'object' && payload !== null && !Array.isArray(payload);
  return isRecord ? (payload as Record<string, unknown>) : undefined;
}
