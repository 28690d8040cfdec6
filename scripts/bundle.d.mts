/** Writes main.cjs and what it loads. Throws where a package is missing. */
export function bundle(folder: string): Promise<void>;
