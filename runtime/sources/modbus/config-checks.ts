// Checks that span several settings.
import type { z } from 'zod';

type Context = z.RefinementCtx;

export function checkTag(_tag: unknown, _context: Context): void {}
export function checkHistory(_history: unknown, _context: Context): void {}
export function checkSource(_source: unknown, _context: Context): void {}
