// Imported before wrangler, which reads these when it is loaded: the local runtime asks no outside host
// for Request.cf, and sends no usage data.

process.loadEnvFile(new URL("../../../scripts/dev.env", import.meta.url));
