// Checks the settings for reading an instrument's memory.
import { templateProblem } from './command-template.ts';
import type { HistoryShape, SourceShape } from './config-shapes.ts';
import { checkFraming } from './framing-checks.ts';
import {
  type Context,
  checkFields,
  checkPlace,
  checkStampPlaces,
  groupsOf,
  type Path,
  problem,
} from './place-checks.ts';
import { isNumbered } from './stream-order.ts';

export function checkHistory(source: SourceShape, history: HistoryShape, context: Context): void {
  const path: Path = ['history'];
  const { stamp } = source;
  if (!stamp?.number && !stamp?.timestamp) {
    problem(
      context,
      path,
      'needs stamp: records of the past have their place by a number or a time of the instrument',
    );
    return;
  }
  if (!isNumbered(source) && !stamp.timestamp)
    problem(context, ['stamp', 'timestamp'], 'is missing: history has its place in the stream by it');
  const message = templateProblem(history.command, ['from', 'to', 'end', 'count']);
  if (message) problem(context, [...path, 'command'], message);
  if (history.framing) checkFraming(history.framing, [...path, 'framing'], context);
  if (history.end === undefined && history.endSilenceMs === undefined)
    problem(
      context,
      [...path, 'end'],
      'is missing: what the message begins with that ends a dump; or endSilenceMs, where there is none',
    );
  if (history.after !== undefined && history.before === undefined)
    problem(context, [...path, 'before'], 'is missing: what stops the instrument; or remove after');
  // A number that was cut off is a number as well, and what it says of the memory may declare records lost.
  if (history.bounds && !source.checksum && !history.bounds.pattern.endsWith('$'))
    problem(
      context,
      [...path, 'bounds', 'pattern'],
      'has to match the whole message where there is no check sum: end it with $',
    );
  checkHistoryLayout(source, history, path, context);
}

function checkHistoryLayout(source: SourceShape, history: HistoryShape, path: Path, context: Context): void {
  const fields = history.fields ?? source.fields;
  const groups = history.fields ? checkFields(history.fields, [...path, 'fields'], context) : undefined;
  const known = new Set(source.tags.map(({ name }) => name));
  const own = history.fields ? groups : groupsOf(source);
  for (const [at, tag] of (history.tags ?? []).entries()) {
    if (!known.has(tag.name))
      problem(
        context,
        [...path, 'tags', at, 'name'],
        'is no tag of this source: history fills the same tags',
      );
    checkPlace(tag, tag.name, fields.separator !== undefined, own, [...path, 'tags', at], context);
  }
  if (history.stamp) checkStampPlaces(history.stamp, fields, own, [...path, 'stamp'], context);
  if (isNumbered(source) && history.stamp && !history.stamp.number)
    problem(context, [...path, 'stamp', 'number'], 'is missing: record numbers order this stream');
  if (history.fields && !history.tags && !history.stamp && !own)
    problem(context, [...path, 'tags'], 'is missing: where the tags lie in a record of a dump');
}
