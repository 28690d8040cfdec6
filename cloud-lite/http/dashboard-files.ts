// How the dashboard's built files are served. The page loads nothing from elsewhere and nobody may frame it:
// it holds a token that can change the ledger.
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Options for the file server: what carries a hash in its name never changes, the page is asked for each time. */
export function dashboardFiles(root: string) {
  return {
    root,
    cacheControl: false,
    setHeaders(reply: { header(name: string, value: string): unknown }, path: string): void {
      const forEver = /[\\/]assets[\\/]/.test(path);
      reply.header('cache-control', forEver ? 'public, max-age=31536000, immutable' : 'no-cache');
      reply.header('content-security-policy', policy);
      reply.header('x-content-type-options', 'nosniff');
      reply.header('referrer-policy', 'no-referrer');
    },
  };
}

/** The answer at the root where no dashboard was built. */
export const noDashboard =
  'There is no dashboard here, only the API (/api/openapi.json): build it with "npx node cloud-lite/dashboard/main.ts FOLDER", and start the detector with HOLDFAST_DASHBOARD_FOLDER=FOLDER.\n';
