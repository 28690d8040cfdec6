// Schemas that the configuration of a serial source is made of.
import { z } from 'zod';
import { unescapeBytes } from './escapes.ts';
import { compilePattern, maxPatternLength } from './patterns.ts';

/** Bytes as text with escapes. */
export const escaped = (maxLength: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(maxLength, `must have at most ${maxLength} characters`)
    .superRefine((text, context) => {
      const result = unescapeBytes(text);
      if (!result.ok) context.addIssue({ code: 'custom', message: result.problem });
    });

export const pattern = z
  .string()
  .min(1, 'must not be empty')
  .max(maxPatternLength, `must have at most ${maxPatternLength} characters`)
  .superRefine((text, context) => {
    const result = compilePattern(text);
    if (!result.ok) context.addIssue({ code: 'custom', message: result.problem });
    else if (result.groups.length === 0)
      context.addIssue({
        code: 'custom',
        message: 'has no named group: write (?<temperature>[-+.0-9]+) around what is to be read',
      });
  });

export const ms = (min: number, max: number) =>
  z.int().min(min, `must be at least ${min} ms`).max(max, `must be at most ${max} ms`);
