// Checks that span several settings: each names the setting to change and what would be right.
import { checkLimits, checkNames } from '../settings.ts';
import { placeholdersOf, templateProblem } from './command-template.ts';
import type { SourceShape, TagShape } from './config-shapes.ts';
import { checkFraming, checkSum } from './framing-checks.ts';
import { checkHistory } from './history-checks.ts';
import { invalidProblem } from './invalid-marks.ts';
import {
  type Context,
  checkFields,
  checkPlace,
  checkStampPlaces,
  type Groups,
  type Path,
  problem,
} from './place-checks.ts';
import { isNumbered } from './stream-order.ts';

export function checkSource(source: SourceShape, context: Context): void {
  checkWhere(source, context);
  checkTalk(source, context);
  checkFraming(source.framing, ['framing'], context);
  checkSum(source, context);
  const groups = checkFields(source.fields, ['fields'], context);
  checkNames(source.tags, ['tags'], context);
  for (const [at, tag] of source.tags.entries()) checkTag(source, tag, groups, ['tags', at], context);
  checkStamp(source, groups, context);
  if (source.history) checkHistory(source, source.history, context);
}

const serialOnly = ['baudRate', 'dataBits', 'parity', 'stopBits', 'flowControl'] as const;

function checkWhere(source: SourceShape, context: Context): void {
  if (source.path === undefined && source.host === undefined) {
    problem(
      context,
      ['path'],
      'is missing: the serial port, best by a name that stays (/dev/serial/by-id/...), or host and port of a serial server',
    );
  } else if (source.path !== undefined && source.host !== undefined) {
    problem(
      context,
      ['host'],
      'is for a serial server, and path for a serial port of this machine: give one of them',
    );
  }
  if (source.host !== undefined && source.port === undefined)
    problem(context, ['port'], 'is missing: the TCP port of the serial server');
  if (source.host === undefined && source.port !== undefined)
    problem(context, ['port'], 'is only for a serial server: give its host, or remove port');
  if (source.host === undefined) return;
  for (const key of serialOnly)
    if (source[key] !== undefined)
      problem(context, [key], 'is only for a serial port of this machine: set it in the serial server');
}

function checkTalk({ poll, expectEveryMs }: SourceShape, context: Context): void {
  if (poll && expectEveryMs !== undefined)
    problem(context, ['expectEveryMs'], 'is for an instrument that talks by itself; remove it, or poll');
  if (!poll) return;
  const commands = typeof poll.command === 'string' ? [poll.command] : poll.command;
  for (const [at, command] of commands.entries()) {
    const path = typeof poll.command === 'string' ? ['poll', 'command'] : ['poll', 'command', at];
    if (placeholdersOf(command).length > 0)
      problem(
        context,
        path,
        'has a placeholder in braces: a poll has nothing to put there; write \\x7b for {',
      );
  }
}

function checkTag(source: SourceShape, tag: TagShape, groups: Groups, path: Path, context: Context): void {
  if (!isWriteOnly(tag, groups))
    checkPlace(tag, tag.name, source.fields.separator !== undefined, groups, path, context);
  const isStamped =
    source.stamp?.timestamp !== undefined || source.stamp?.index === 'number' || isNumbered(source);
  for (const key of ['deadband', 'heartbeatMs'] as const)
    if (tag[key] !== undefined && isStamped)
      problem(
        context,
        [...path, key],
        'must be left out where the instrument stamps or numbers its records: each is reported whole',
      );
  const invalid = tag.at === undefined ? undefined : invalidProblem(tag);
  if (invalid !== undefined) problem(context, [...path, 'invalid'], invalid);
  if (tag.heartbeatMs !== undefined && tag.deadband === undefined)
    problem(context, [...path, 'heartbeatMs'], 'is only for tags with a deadband; add one or remove it');
  checkLimits(tag, tag.write !== undefined, path, context);
  if (tag.write) {
    const message = templateProblem(tag.write.command, ['value']);
    if (message) problem(context, [...path, 'write', 'command'], message);
  }
}

/** It can be written, and no message says where to read it. */
function isWriteOnly(tag: TagShape, groups: Groups): boolean {
  const { group, column, from, at } = tag;
  const hasPlace = [group, column, from, at].some((each) => each !== undefined);
  return tag.write !== undefined && !hasPlace && !groups?.has(tag.name);
}

function checkStamp(source: SourceShape, groups: Groups, context: Context): void {
  if (source.stamp) checkStampPlaces(source.stamp, source.fields, groups, ['stamp'], context);
  if (source.stamp?.index === 'number' && !source.stamp.number)
    problem(context, ['stamp', 'number'], 'is missing: where the record number lies');
}
