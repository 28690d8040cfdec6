// Everything else that the module's process has loaded, so that its memory is the module's: the command line, the
// configuration and its schema, logging, methods, status. Imported for that effect alone.
import '../../../runtime/adapters.ts';
import '../../../runtime/cli/program.ts';
import '../../../runtime/config/active-config.ts';
import '../../../runtime/health/pino-log.ts';
import '../../../runtime/health/reporter.ts';
import '../../../runtime/health/start-journal.ts';
import '../../../runtime/health/status-port.ts';
import '../../../runtime/methods/backfill-jobs.ts';
import '../../../runtime/methods/router.ts';
import '../../../runtime/methods/status.ts';
