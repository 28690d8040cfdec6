// The schema of OPC UA sources, as a site writes them into its configuration.
import type { z } from 'zod';
import { checkNames } from '../settings.ts';
import * as shape from './config-shapes.ts';

export const opcuaSourceSchema = shape.source.superRefine(checkSource);

export type OpcuaSourceConfig = z.infer<typeof opcuaSourceSchema>;
export type OpcuaTagConfig = OpcuaSourceConfig['tags'][number];
export type OpcuaFolderConfig = OpcuaSourceConfig['folders'][number];
export type SecurityConfig = OpcuaSourceConfig['security'];
export type IdentityConfig = OpcuaSourceConfig['identity'];
export type HistoryConfig = NonNullable<OpcuaSourceConfig['history']>;

type Context = z.RefinementCtx;
type Path = (string | number)[];

function problem(context: Context, path: Path, message: string): void {
  context.addIssue({ code: 'custom', path, message });
}

function checkSource(source: shape.SourceShape, context: Context): void {
  const { tags, folders, identity, security, keepAliveMs, publishMs } = source;
  checkNames(tags, ['tags'], context);
  for (const [at, tag] of tags.entries()) {
    checkPlace(tag, ['tags', at], context);
    checkDeadband(tag, source.trigger, ['tags', at], context);
  }
  for (const [at, folder] of folders.entries()) {
    checkPlace(folder, ['folders', at], context);
    checkDeadband(folder, source.trigger, ['folders', at], context);
  }
  if (security.mode === 'None' && security.policy !== undefined)
    problem(context, ['security', 'policy'], 'is only for Sign and SignAndEncrypt; remove it or change mode');
  if (
    identity.kind === 'user' &&
    (identity.passwordFile === undefined) === (identity.passwordEnvironment === undefined)
  )
    problem(
      context,
      ['identity', 'passwordFile'],
      'is missing: name the file that holds the password, or passwordEnvironment (one of the two)',
    );
  if (source.history && source.timestamp === 'server')
    problem(context, ['timestamp'], 'must be source where history is given: the history is in that order');
  if (keepAliveMs < publishMs)
    problem(
      context,
      ['keepAliveMs'],
      `must be at least publishMs (${publishMs}): only messages say that all is well`,
    );
}

function checkPlace(
  { node, path }: { node?: string | undefined; path?: string | undefined },
  at: Path,
  context: Context,
) {
  if (node === undefined && path === undefined)
    problem(context, [...at, 'node'], 'is missing: a node id such as "ns=2;s=Temperature", or path');
  else if (node !== undefined && path !== undefined)
    problem(
      context,
      [...at, 'path'],
      'must be left out where node is given: one of the two says where it is',
    );
}

function checkDeadband(
  { deadband, deadbandType, trigger }: Pick<shape.TagShape, 'deadband' | 'deadbandType' | 'trigger'>,
  usual: shape.SourceShape['trigger'],
  at: Path,
  context: Context,
): void {
  if (deadbandType !== undefined && deadband === undefined)
    problem(context, [...at, 'deadband'], 'is missing: how much a value must change, or remove deadbandType');
  if (deadbandType === 'percent' && deadband !== undefined && deadband > 100)
    problem(context, [...at, 'deadband'], 'must be at most 100 percent');
  if (deadband !== undefined && (trigger ?? usual) === 'timestamp')
    problem(
      context,
      [...at, 'deadband'],
      'must be left out with trigger: timestamp, which reports every value',
    );
}
