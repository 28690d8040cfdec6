// Checks of how messages are told apart.
import type { FramingShape, SourceShape } from './config-shapes.ts';
import { type Context, type Path, problem } from './place-checks.ts';

export function checkFraming(framing: FramingShape, path: Path, context: Context): void {
  if (framing.kind !== 'length-field') return;
  const { form, size } = framing;
  if ((form === 'big' || form === 'little') && size > 4)
    problem(context, [...path, 'size'], 'must be at most 4 bytes; more only as digits');
}

export function checkSum({ checksum, framing }: SourceShape, context: Context): void {
  if (!checksum) return;
  if (checksum.kind === 'nmea') {
    for (const key of ['form', 'at', 'to'] as const)
      if (checksum[key] !== undefined)
        problem(context, ['checksum', key], 'must be left out: NMEA says where its check sum stands');
    if (framing.kind !== 'delimiter')
      problem(context, ['framing', 'kind'], 'must be delimiter for NMEA sentences');
  }
}
