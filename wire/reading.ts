/** JSON values; never NaN or an infinity (sources report those as null with quality `bad:not-finite`). */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value };

/**
 * `good`, `uncertain` or `bad`, optionally followed by `:` and the cause in kebab-case, as in
 * `bad:illegal-data-address`. At most 64 characters.
 */
export type Quality = 'good' | 'uncertain' | 'bad' | `uncertain:${string}` | `bad:${string}`;

/** One value of one tag at one index position. */
export interface Reading {
  readonly index: number;
  readonly tag: string;
  /** `null` where there is no value: a refused register, an unreadable field. */
  readonly value: Value;
  readonly quality: Quality;
}
