export interface Template {
  readonly parameters: Readonly<Record<string, { readonly type: string; readonly defaultValue?: unknown }>>;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly resources: Readonly<Record<string, { readonly type: string; readonly apiVersion: string }>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}
/** Throws an error that names line and cause. */
export function armOf(text: string): Template;
