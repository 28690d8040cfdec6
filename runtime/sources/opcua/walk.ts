// Walks a server's address space from one node on, breadth first, and lists the variables. Bounded in depth, in
// variables and in nodes: address spaces have cycles, and some have millions of nodes.

import { serviceFailed } from './opcua-errors.ts';
import type { OpcuaSession } from './opcua-session.ts';
import { isBad } from './quality.ts';

export interface WalkLimits {
  readonly maxVariables: number;
  readonly maxDepth: number;
  /** Nodes that are neither listed nor looked into. */
  readonly skip?: ReadonlySet<string>;
}

export interface FoundVariable {
  /** Browse names from below the root on, as `2:Line1`. */
  readonly path: readonly string[];
  readonly nodeId: string;
}

export interface Walked {
  readonly variables: readonly FoundVariable[];
  /** A limit kept something out, or the server did not show all. */
  readonly isCut: boolean;
}

/** Nodes looked into, for each variable that is wanted, and at most. */
const nodesPerVariable = 20;
const maxNodes = 100_000;
const browseAtOnce = 100;

/** @throws HoldfastError when the root itself cannot be browsed */
export async function walk(session: OpcuaSession, root: string, limits: WalkLimits): Promise<Walked> {
  const { maxVariables, maxDepth, skip = [] } = limits;
  const nodeLimit = Math.min(maxNodes, 1000 + maxVariables * nodesPerVariable);
  const variables: FoundVariable[] = [];
  const seen = new Set([root, ...skip]);
  let isPartial = false;
  let level: FoundVariable[] = [{ path: [], nodeId: root }];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > maxDepth) return { variables, isCut: true };
    const next: FoundVariable[] = [];
    for (let at = 0; at < level.length; at += browseAtOnce) {
      const parents = level.slice(at, at + browseAtOnce);
      const browsed = await session.browse(parents.map(({ nodeId }) => nodeId));
      for (const [i, { status, references, isCut }] of browsed.entries()) {
        if (isBad(status) && depth === 1) throw notBrowsed(status.name, root);
        // What lies below a node that cannot be browsed is not known.
        isPartial ||= isCut || isBad(status);
        for (const { nodeId, browseName, isVariable, isObject, isProperty } of references) {
          if (seen.has(nodeId) || isProperty || !(isVariable || isObject)) continue;
          if (variables.length >= maxVariables || seen.size >= nodeLimit) return { variables, isCut: true };
          seen.add(nodeId);
          const found = { path: [...parents[i]!.path, browseName], nodeId };
          if (isVariable) variables.push(found);
          // What lies below a variable are its properties and the members of its structure: not looked into.
          if (isObject) next.push(found);
        }
      }
    }
    level = next;
  }
  return { variables, isCut: isPartial };
}

function notBrowsed(status: string, root: string): Error {
  return serviceFailed(`browsing ${root}`, status);
}
